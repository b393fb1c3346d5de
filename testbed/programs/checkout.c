// The honest service: each request counts an order in Redis, asks the payment service, and answers 200, or 502 and why.
// Arguments: address and port of Redis, address and port of the payment service.
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// Sends a request to a peer and reads the first part of its answer; returns 0 or an errno.
static int ask(const char *address, const char *port, const char *request, char *answer, size_t size)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int error = 0;
	ssize_t got;

	inet_pton(AF_INET, address, &peer.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) || send(fd, request, strlen(request), 0) < 0) {
		error = errno;
	} else {
		got = recv(fd, answer, size - 1, 0);
		error = got < 0 ? errno : got ? 0 : ECONNRESET;
		answer[got > 0 ? got : 0] = 0;
	}
	close(fd);
	return error;
}

int main(int count, char **word)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	if (count != 5)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 64)) {
		perror("checkout");
		return 1;
	}
	for (;;) {
		int client = accept(listener, NULL, NULL);
		char request[2048], order[256], payment[256];
		const char *failed = "redis";
		int error;

		if (client < 0)
			continue;
		if (recv(client, request, sizeof(request), 0) > 0) {
			error = ask(word[1], word[2], "INCR orders\r\n", order, sizeof(order));
			if (!error) {
				failed = "payment";
				error = ask(word[3], word[4], "GET /pay HTTP/1.0\r\n\r\n", payment, sizeof(payment));
			}
			if (error)
				dprintf(client, "HTTP/1.0 502 Bad Gateway\r\n\r\n%s: %s\n", failed, strerror(error));
			else
				dprintf(client, "HTTP/1.0 200 OK\r\n\r\norder %s", order + 1);
		}
		close(client);
	}
}
