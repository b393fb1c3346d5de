// A service of the fleet: answers HTTP, after it has asked the services that it needs.
//   relay PORT [SERVICE ...]   listens on PORT; each SERVICE is asked on the same port, at every address of its name
//   relay check PORT           exit 0 when the relay on this host answers for itself, as a health check does
// SIGTERM: what has begun is answered, then it ends.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS 1000
#define ANSWER_MS 25000
#define RESOLVE_MS 5000 /* as the C library: twice */
#define MAX_ADDRESSES 32
#define RESOLVER "127.0.0.11"

static volatile sig_atomic_t ending;

static void end(int signal_number)
{
	(void)signal_number;
	ending = 1;
}

static int waits(int fd, short events, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = events };

	return poll(&wait, 1, milliseconds) == 1;
}

// Skips a name in a DNS message; RFC 1035 section 4.1.4.
static const unsigned char *skip_name(const unsigned char *at, const unsigned char *end_of_message)
{
	while (at < end_of_message && *at && (*at & 0xc0) != 0xc0)
		at += *at + 1;
	return at < end_of_message ? at + ((*at & 0xc0) == 0xc0 ? 2 : 1) : end_of_message;
}

// Asks the engine's resolver for the IPv4 addresses of a name; returns how many.
static int resolve(const char *name, struct in_addr *found)
{
	struct sockaddr_in resolver = { .sin_family = AF_INET, .sin_port = htons(53) };
	unsigned char query[300] = { getpid() & 0xff, getpid() >> 8 & 0xff, 1, 0, 0, 1 }, answer[1500];
	unsigned char *at = query + 12;
	const unsigned char *read_at, *last;
	int fd, count = 0;
	ssize_t size;
	size_t length = strlen(name);

	if (length > 60)
		return 0;
	*at++ = length;
	memcpy(at, name, length);
	at += length;
	memcpy(at, "\0\0\1\0\1", 5);
	at += 5;
	inet_pton(AF_INET, RESOLVER, &resolver.sin_addr);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&resolver, sizeof(resolver)) || send(fd, query, at - query, 0) < 0 ||
	    (!waits(fd, POLLIN, RESOLVE_MS) && (send(fd, query, at - query, 0) < 0 || !waits(fd, POLLIN, RESOLVE_MS))) ||
	    (size = recv(fd, answer, sizeof(answer), 0)) < 12) {
		close(fd);
		return 0;
	}
	close(fd);
	last = answer + size;
	read_at = skip_name(answer + 12, last) + 4;
	for (int left = answer[6] << 8 | answer[7]; left > 0 && count < MAX_ADDRESSES; left--) {
		read_at = skip_name(read_at, last);
		if (read_at + 10 > last || read_at + 10 + (read_at[8] << 8 | read_at[9]) > last)
			break;
		if (read_at[1] == 1 && read_at[9] == 4)
			memcpy(&found[count++], read_at + 10, 4);
		read_at += 10 + (read_at[8] << 8 | read_at[9]);
	}
	return count;
}

// Connects, or returns -1 when the address refuses or is silent: then the next one is tried, as clients do.
static int dial(struct in_addr address, int port)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	socklen_t length = sizeof(error);

	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) && errno != EINPROGRESS)
		error = errno;
	else if (!waits(fd, POLLOUT, CONNECT_MS))
		error = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

// Sends a request and returns whether the answer is good.
static int request(int fd, const char *path)
{
	char answer[512];
	ssize_t got = -1;

	if (dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) > 0 && waits(fd, POLLIN, ANSWER_MS))
		got = recv(fd, answer, sizeof(answer) - 1, 0);
	close(fd);
	return got > 12 && !memcmp(answer + 9, "200", 3);
}

static int ask(const char *name, int port)
{
	struct in_addr addresses[MAX_ADDRESSES];
	int count = resolve(name, addresses);

	for (int i = 0; i < count; i++) {
		int fd = dial(addresses[i], port);

		if (fd >= 0)
			return request(fd, "/");
	}
	return 0;
}

static void serve(int client, int port, char **peers)
{
	char line[512] = "";
	struct linger wait = { 1, 5 };

	if (!waits(client, POLLIN, ANSWER_MS) || recv(client, line, sizeof(line) - 1, 0) <= 0)
		return;
	if (strncmp(line, "GET /health", 11))
		for (; *peers; peers++)
			if (!ask(*peers, port)) {
				dprintf(client, "HTTP/1.0 502 Bad Gateway\r\n\r\n%s\n", *peers);
				return;
			}
	dprintf(client, "HTTP/1.0 200 OK\r\n\r\nok\n");
	setsockopt(client, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait));
	close(client);
}

int main(int count, char **word)
{
	struct sigaction action = { .sa_handler = end }, ignore = { .sa_handler = SIG_IGN };
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	int listener, yes = 1, fd;

	if (count == 3 && !strcmp(word[1], "check")) {
		fd = dial(loopback, atoi(word[2]));
		return fd < 0 || !request(fd, "/health");
	}
	if (count < 2)
		return 2;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	here.sin_port = htons(atoi(word[1]));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 128)) {
		perror("relay");
		return 1;
	}
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (!waits(listener, POLLIN, ending ? 0 : 200)) {
			if (ending)
				break; // who was let in before is answered too
			continue;
		}
		if ((fd = accept(listener, NULL, NULL)) < 0)
			continue;
		if (!fork()) {
			serve(fd, atoi(word[1]), word + 2);
			_exit(0);
		}
		close(fd);
	}
	close(listener);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
