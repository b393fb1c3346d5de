// The all-purpose tool that so many images carry (curl, Python, nmap ...), here as one small static program.
// It sends what it is told to, and says what became of it: exit 0 and the answer, or exit 1 and the error.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 3000

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 1;
}

static socklen_t parse(const char *text, int port, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		return sizeof(address->v4);
	}
	if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		return sizeof(address->v6);
	}
	fprintf(stderr, "probe: %s is not an address\n", text);
	exit(2);
}

static int readable(int fd, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, milliseconds) == 1;
}

// Returns 1 when connected, 0 when refused or silent; errno says why.
static int connects(int fd, const union address *peer, socklen_t size, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t length = sizeof(error);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, &peer->any, size) && errno != EINPROGRESS)
		return 0;
	if (poll(&wait, 1, milliseconds) != 1) {
		errno = ETIMEDOUT;
		return 0;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	fcntl(fd, F_SETFL, 0);
	errno = error;
	return !error;
}

static int tcp(const char *to, int port, const char *text, int repeat)
{
	union address peer;
	socklen_t size = parse(to, port, &peer);
	int fd = socket(peer.any.sa_family, SOCK_STREAM, 0);
	char answer[4096];
	ssize_t got;

	if (fd < 0 || !connects(fd, &peer, size, PATIENCE_MS))
		return fail("connect");
	puts("connected");
	fflush(stdout);
	do {
		if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
			return fail("send");
		got = 0;
		if (readable(fd, repeat ? 50 : PATIENCE_MS)) {
			got = recv(fd, answer, sizeof(answer), 0);
			if (got < 0)
				return fail("receive");
			fwrite(answer, 1, got, stdout);
			fflush(stdout);
		}
	} while (repeat);
	return got > 0 ? 0 : 1;
}

static int udp(const char *to, int port, const char *text, size_t length)
{
	union address peer;
	socklen_t size = parse(to, port, &peer);
	int fd = socket(peer.any.sa_family, SOCK_DGRAM, 0);
	char answer[4096];
	ssize_t got;

	if (fd < 0 || sendto(fd, text, length, 0, &peer.any, size) < 0)
		return fail("sendto");
	if (!readable(fd, PATIENCE_MS)) {
		errno = ETIMEDOUT;
		return fail("answer");
	}
	got = recv(fd, answer, sizeof(answer), 0);
	if (got < 0)
		return fail("receive");
	printf("%zd bytes answered\n", got);
	return 0;
}

static int dns(const char *server, const char *name)
{
	char query[512] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00";
	size_t at = 12;

	while (*name && at + 64 < sizeof(query)) {
		size_t length = strcspn(name, ".");

		query[at++] = (char)length;
		memcpy(query + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	memcpy(query + at, "\0\0\x01\0\x01", 5);
	return udp(server, 53, query, at + 5);
}

static unsigned short checksum(const void *data, size_t length)
{
	const unsigned short *word = data;
	unsigned long sum = 0;

	for (; length > 1; length -= 2)
		sum += *word++;
	if (length)
		sum += *(const unsigned char *)word;
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static int icmp(const char *to, const char *text)
{
	union address peer;
	socklen_t size = parse(to, 0, &peer);
	int v6 = peer.any.sa_family == AF_INET6;
	int fd = socket(peer.any.sa_family, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	char packet[1024] = { v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO };
	size_t length = 8 + strlen(text);

	memcpy(packet + 8, text, strlen(text));
	if (!v6)
		((struct icmphdr *)packet)->checksum = checksum(packet, length);
	if (fd < 0 || sendto(fd, packet, length, 0, &peer.any, size) < 0)
		return fail("sendto");
	puts("sent");
	return 0;
}

static int raw(const char *to, int protocol, const char *text)
{
	union address peer;
	socklen_t size = parse(to, 0, &peer);
	int fd = socket(peer.any.sa_family, SOCK_RAW, protocol);

	if (fd < 0 || sendto(fd, text, strlen(text), 0, &peer.any, size) < 0)
		return fail("sendto");
	puts("sent");
	return 0;
}

// A UDP datagram with its own IP header.
static size_t datagram(char *packet, const char *from, const char *to, int port, const char *text)
{
	union address source, peer;
	size_t length = sizeof(struct udphdr) + strlen(text);
	struct udphdr *udp;

	parse(from, 0, &source);
	parse(to, port, &peer);
	if (peer.any.sa_family == AF_INET6) {
		struct ip6_hdr *ip = (struct ip6_hdr *)packet;

		ip->ip6_vfc = 0x60;
		ip->ip6_plen = htons(length);
		ip->ip6_nxt = IPPROTO_UDP;
		ip->ip6_hlim = 64;
		ip->ip6_src = source.v6.sin6_addr;
		ip->ip6_dst = peer.v6.sin6_addr;
		udp = (struct udphdr *)(ip + 1);
		length += sizeof(*ip);
	} else {
		struct iphdr *ip = (struct iphdr *)packet;

		length += sizeof(*ip);
		ip->version = 4;
		ip->ihl = 5;
		ip->ttl = 64;
		ip->protocol = IPPROTO_UDP;
		ip->tot_len = htons(length);
		ip->saddr = source.v4.sin_addr.s_addr;
		ip->daddr = peer.v4.sin_addr.s_addr;
		ip->check = checksum(ip, sizeof(*ip));
		udp = (struct udphdr *)(ip + 1);
	}
	udp->source = htons(40000);
	udp->dest = htons(port);
	udp->len = htons(sizeof(*udp) + strlen(text));
	memcpy(udp + 1, text, strlen(text));
	return length;
}

// Asks for the gateway's hardware address by hand, as the kernel would.
static int resolve(int fd, const char *from, const char *gateway, struct sockaddr_ll *link)
{
	struct {
		struct arphdr head;
		unsigned char sender[6], sender_ip[4], target[6], target_ip[4];
	} __attribute__((packed)) ask = { .head = { htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST) } }, answer;
	struct ifreq request = { .ifr_name = "eth0" };

	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return 0;
	memcpy(ask.sender, request.ifr_hwaddr.sa_data, 6);
	inet_pton(AF_INET, from, ask.sender_ip);
	inet_pton(AF_INET, gateway, ask.target_ip);
	link->sll_protocol = htons(ETH_P_ARP);
	memset(link->sll_addr, 0xff, 6);
	if (sendto(fd, &ask, sizeof(ask), 0, (struct sockaddr *)link, sizeof(*link)) < 0)
		return 0;
	while (readable(fd, PATIENCE_MS))
		if (recv(fd, &answer, sizeof(answer), 0) == sizeof(answer) && answer.head.ar_op == htons(ARPOP_REPLY) &&
		    !memcmp(answer.sender_ip, ask.target_ip, 4)) {
			memcpy(link->sll_addr, answer.sender, 6);
			return 1;
		}
	errno = EHOSTUNREACH;
	return 0;
}

// Below IP: none of the kernel's rules for IP see it.
static int packet(char *own4, char *gateway4, char *from, char *to, int port, const char *text)
{
	char frame[2048] = { 0 };
	size_t length = datagram(frame, from, to, port, text);
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ARP));
	struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("eth0"), .sll_halen = 6 };

	if (fd < 0)
		return fail("packet socket");
	if (!resolve(fd, own4, gateway4, &link))
		return fail("resolve the gateway");
	link.sll_protocol = htons(strchr(to, ':') ? ETH_P_IPV6 : ETH_P_IP);
	if (sendto(fd, frame, length, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
		return fail("sendto");
	puts("sent");
	return 0;
}

// Tries one port of PREFIX1 to PREFIX254 and prints who is there.
static int scan(const char *prefix, int port)
{
	int found = 0;

	for (int host = 1; host < 255; host++) {
		char to[64];
		union address peer;
		socklen_t size;
		int fd;

		snprintf(to, sizeof(to), "%s%d", prefix, host);
		size = parse(to, port, &peer);
		fd = socket(peer.any.sa_family, SOCK_STREAM, 0);
		if (connects(fd, &peer, size, 5)) {
			printf("%s:%d open\n", to, port);
			found = 1;
		}
		close(fd);
	}
	return !found;
}

// Runs a file without a file: from anonymous memory.
static int run_from_memory(char **command)
{
	char data[1 << 20];
	int file = open(command[0], O_RDONLY), memory = memfd_create("", 0);
	ssize_t got;

	if (file < 0 || memory < 0)
		return fail(command[0]);
	while ((got = read(file, data, sizeof(data))) > 0)
		if (write(memory, data, got) != got)
			return fail("memfd");
	fexecve(memory, command, (char *[]){ NULL });
	return fail("fexecve");
}

// Maps a file executable and jumps into it: what dlopen() does with a library.
static int run_library(const char *path, const char *argument)
{
	struct stat status;
	int fd = open(path, O_RDONLY);
	void (*entry)(const char *);

	if (fd < 0 || fstat(fd, &status))
		return fail(path);
	entry = mmap(NULL, status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (entry == MAP_FAILED)
		return fail("mmap");
	entry(argument);
	return 0;
}

int main(int count, char **word)
{
	const char *what = count > 1 ? word[1] : "";

	if (!strcmp(what, "tcp") && count == 5)
		return tcp(word[2], atoi(word[3]), word[4], 0);
	if (!strcmp(what, "hold") && count == 5)
		return tcp(word[2], atoi(word[3]), word[4], 1);
	if (!strcmp(what, "udp") && count == 5)
		return udp(word[2], atoi(word[3]), word[4], strlen(word[4]));
	if (!strcmp(what, "dns") && count == 4)
		return dns(word[2], word[3]);
	if (!strcmp(what, "icmp") && count == 4)
		return icmp(word[2], word[3]);
	if (!strcmp(what, "raw") && count == 5)
		return raw(word[2], atoi(word[3]), word[4]);
	if (!strcmp(what, "packet") && count == 8)
		return packet(word[2], word[3], word[4], word[5], atoi(word[6]), word[7]);
	if (!strcmp(what, "scan") && count == 4)
		return scan(word[2], atoi(word[3]));
	if (!strcmp(what, "memory") && count >= 3)
		return run_from_memory(word + 2);
	if (!strcmp(what, "library") && count == 4)
		return run_library(word[2], word[3]);
	fputs("usage: probe tcp|hold|udp ADDRESS PORT TEXT | dns SERVER NAME | icmp ADDRESS TEXT\n"
	      "       probe raw ADDRESS PROTOCOL TEXT | packet OWN4 GATEWAY4 FROM TO PORT TEXT\n"
	      "       probe scan PREFIX PORT | memory FILE ARGUMENT... | library FILE ARGUMENT\n",
	      stderr);
	return 2;
}
