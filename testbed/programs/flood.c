// A flood of HTTP requests on loopback. Arguments: port, requests a second, seconds, path.
// Prints {"sent": …, "ok": …, "redirected": …, "refused": …, "failed": …, "broken": …}: answers by their first digit (2 to
// 5), and how many connections the server closed.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 48

static const char STATUS[] = "HTTP/1.1 ";

struct connection {
	int fd;
	size_t written; // of the request that is on its way
	size_t matched; // of STATUS, in what was read
};

static char request[512];
static size_t length;
static long sent, answers[10], broken;
static unsigned short port;

static double now(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	return moment.tv_sec + moment.tv_nsec / 1e9;
}

static void open_connection(struct connection *connection)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*connection = (struct connection){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	connect(connection->fd, (struct sockaddr *)&peer, sizeof(peer));
}

static void renew(struct connection *connection)
{
	broken++;
	close(connection->fd);
	open_connection(connection);
}

// Sends at most so many requests; returns how many were completed.
static long send_some(struct connection *connection, long most)
{
	long done = 0;

	while (done < most) {
		ssize_t got = send(connection->fd, request + connection->written, length - connection->written, 0);

		if (got < 0) {
			if (errno != EAGAIN && errno != ENOTCONN)
				renew(connection);
			break;
		}
		connection->written += got;
		if (connection->written < length)
			break;
		connection->written = 0;
		done++;
	}
	return done;
}

static void read_all(struct connection *connection)
{
	static char buffer[65536];
	ssize_t got;

	while ((got = recv(connection->fd, buffer, sizeof(buffer), 0)) > 0) {
		for (ssize_t at = 0; at < got; at++) {
			if (connection->matched == sizeof(STATUS) - 1) {
				answers[(buffer[at] - '0') % 10]++;
				connection->matched = 0;
			} else if (buffer[at] == STATUS[connection->matched]) {
				connection->matched++;
			} else {
				connection->matched = buffer[at] == STATUS[0];
			}
		}
	}
	if (!got || (errno != EAGAIN && errno != ENOTCONN))
		renew(connection);
}

int main(int count, char **word)
{
	struct connection connections[CONNECTIONS];
	double start, rate, seconds;

	if (count != 5)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	port = atoi(word[1]), rate = atof(word[2]), seconds = atof(word[3]);
	length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", word[4], port);
	for (int i = 0; i < CONNECTIONS; i++)
		open_connection(&connections[i]);
	start = now();
	for (double elapsed = 0; elapsed < seconds; elapsed = now() - start) {
		struct pollfd polled[CONNECTIONS];
		long due = (long)(elapsed * rate) - sent;

		for (int i = 0; i < CONNECTIONS; i++) {
			if (due > 0) {
				long done = send_some(&connections[i], due / (CONNECTIONS - i) + 1);

				sent += done;
				due -= done;
			}
			polled[i] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
		}
		poll(polled, CONNECTIONS, 1);
		for (int i = 0; i < CONNECTIONS; i++)
			if (polled[i].revents)
				read_all(&connections[i]);
	}
	printf("{\"sent\": %ld, \"ok\": %ld, \"redirected\": %ld, \"refused\": %ld, \"failed\": %ld, \"broken\": %ld}\n", sent,
	       answers[2], answers[3], answers[4], answers[5], broken);
	return 0;
}
