// Opens connections or sends datagrams and prints how many nanoseconds one took:
// egress serve ADDRESS PORT | egress connect|sendto|ask ADDRESS PORT COUNT [SPREAD]
// "ask" is UDP's connect(): the cost of the hook alone. SPREAD: use that many ports in turn.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void demand(int fine, const char *what)
{
	if (!fine) {
		perror(what);
		exit(1);
	}
}

static void serve(struct sockaddr_in *address)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	demand(!bind(listener, (struct sockaddr *)address, sizeof(*address)), "bind");
	demand(!listen(listener, 4096), "listen");
	puts("ready");
	fflush(stdout);
	for (;;)
		close(accept(listener, NULL, NULL));
}

static void connect_once(struct sockaddr_in *address)
{
	struct linger reset = {1, 0}; // no TIME_WAIT: ports must not run out
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	demand(!connect(fd, (struct sockaddr *)address, sizeof(*address)), "connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

int main(int count, char **arguments)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	struct timespec begin, end;
	long times, spread, port;

	demand(count >= 4, "arguments");
	inet_pton(AF_INET, arguments[2], &address.sin_addr);
	port = atol(arguments[3]);
	address.sin_port = htons(port);
	if (!strcmp(arguments[1], "serve"))
		serve(&address);
	times = atol(arguments[4]);
	spread = count > 5 ? atol(arguments[5]) : 1;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long i = 0; i < times; i++) {
		address.sin_port = htons(port + i % spread);
		if (arguments[1][0] == 'c')
			connect_once(&address);
		else if (arguments[1][0] == 'a')
			demand(!connect(datagrams, (struct sockaddr *)&address, sizeof(address)), "connect");
		else
			demand(sendto(datagrams, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)) == 1, "sendto");
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%f\n", ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / times);
	return 0;
}
