// As much of a Redis as shop/checkout needs: INCR, for one client after the other.
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(6379) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	unsigned long orders = 0;

	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 64)) {
		perror("redis");
		return 1;
	}
	for (;;) {
		int client = accept(listener, NULL, NULL);
		char line[256];
		ssize_t got;

		if (client < 0)
			continue;
		while ((got = recv(client, line, sizeof(line) - 1, 0)) > 0) {
			line[got] = 0;
			if (strncmp(line, "INCR ", 5))
				dprintf(client, "-ERR unknown command\r\n");
			else
				dprintf(client, ":%lu\r\n", ++orders);
		}
		close(client);
	}
}
