// A harmless stand-in: it has the words of a miner in it and opens one connection to log in; it mines nothing.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const words[] = {
	"XMRig 6.21.0", "xmrig", "stratum+tcp://", "stratum+ssl://", "donate-level", "randomx", "cryptonight", "rx/0",
	"--coin=monero", "pool.minexmr.com", "nicehash", "\"algo\"", "cpu-max-threads-hint", "mining.subscribe",
};

int main(int count, char **word)
{
	const char *login = "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"x\",\"pass\":\"x\","
			    "\"agent\":\"XMRig/6.21.0\"}}\n";
	struct sockaddr_in pool = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[512];
	ssize_t got;

	if (count < 3) {
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			puts(words[i]);
		return 2;
	}
	inet_pton(AF_INET, word[1], &pool.sin_addr);
	pool.sin_port = htons(atoi(word[2]));
	if (connect(fd, (struct sockaddr *)&pool, sizeof(pool))) {
		perror("pool");
		return 1;
	}
	if (send(fd, login, strlen(login), MSG_NOSIGNAL) < 0)
		return 1;
	while ((got = recv(fd, answer, sizeof(answer), 0)) > 0)
		fwrite(answer, 1, got, stdout);
	return 0;
}
