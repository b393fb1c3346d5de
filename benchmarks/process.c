// Does one thing many times and prints how many nanoseconds one took: process spawn|map|open|call COUNT
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void spawn(char *self, int number)
{
	char text[16];
	char *command[] = { self, "nothing", text, NULL };
	pid_t child;

	snprintf(text, sizeof(text), "%d", number);
	if (posix_spawn(&child, self, NULL, NULL, command, environ) || waitpid(child, NULL, 0) != child)
		exit(1);
}

static void map(char *self, int number)
{
	static int fd = -1;

	(void)number;
	if (fd < 0)
		fd = open(self, O_RDONLY);
	void *place = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (place == MAP_FAILED)
		exit(1);
	munmap(place, 4096);
}

static void look(char *self, int number)
{
	(void)number;
	int fd = open(self, O_RDONLY);

	if (fd < 0)
		exit(1);
	close(fd);
}

static void call(char *self, int number)
{
	(void)self;
	(void)number;
	syscall(SYS_getppid);
}

int main(int count, char **arguments)
{
	if (count == 3 && !strcmp(arguments[1], "nothing"))
		return 0;
	if (count != 3)
		return 2;
	void (*work)(char *, int) = !strcmp(arguments[1], "spawn")  ? spawn
				    : !strcmp(arguments[1], "map")  ? map
				    : !strcmp(arguments[1], "open") ? look
								    : call;
	int times = atoi(arguments[2]);
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < times; i++)
		work(arguments[0], i);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.1f\n", ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / times);
	return 0;
}
