/*
 * forwarder is the floor of the bench: it moves the datagrams of a call between the ports that a proxy would move them between, from one
 * socket, and reads nothing of them. A datagram from caller port i leaves for answerer port i, and back.
 *
 *     forwarder [-b] address port first-caller-port first-answerer-port count
 *
 * One recvfrom(2) and one sendto(2) per datagram, blocking, as a process of Kamailio does. With -b up to 64 datagrams per recvmmsg(2) and
 * sendmmsg(2): not the floor the goals refer to, but what batching alone is worth.
 *
 * It says "forwarder ready" on standard error once the socket is bound, and runs until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* The largest UDP payload over IPv4; a datagram of the bench is below 1 KiB. */
	DATAGRAM_BYTES = 65507,
	/* -b: datagrams per system call, and room for each. */
	BATCH = 64,
	FRAME_BYTES = 2048,
	/*
	 * The kernel doubles it, so twice what Kamailio raises its buffer to (maxbuffer): 128 calls with an ACK and a BYE each on
	 * their way fit. The floor is to show what moving costs, not what waiting for retransmissions does.
	 */
	RECV_BUFFER_BYTES = 262144,
	MAX_PORTS = 64,
};

static in_port_t peer_of[65536]; /* by port, both in network order; 0: not a port of ours */

static void die(const char *what)
{
	fprintf(stderr, "forwarder: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static int port_number(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);
	if (*s == '\0' || *end != '\0' || n < 1 || n > 65535) {
		fprintf(stderr, "forwarder: %s is not a port\n", s);
		exit(2);
	}
	return (int)n;
}

/* one moves datagrams singly. */
static void one(int fd)
{
	static char datagram[DATAGRAM_BYTES];
	struct sockaddr_in from;

	for (;;) {
		socklen_t length = sizeof from;
		ssize_t n = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &length);
		if (n < 0) {
			if (errno == EINTR || errno == ECONNREFUSED)
				continue;
			die("receive");
		}
		if (peer_of[from.sin_port] == 0)
			continue;
		from.sin_port = peer_of[from.sin_port];
		if (sendto(fd, datagram, n, 0, (struct sockaddr *)&from, sizeof from) < 0 && errno != ECONNREFUSED && errno != EINTR)
			die("send");
	}
}

/* batches moves up to BATCH datagrams at a time. */
static void batches(int fd)
{
	static char frames[BATCH][FRAME_BYTES];
	static struct sockaddr_in from[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];

	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){frames[i], FRAME_BYTES};
			messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &parts[i], .msg_iovlen = 1};
		}
		int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0) {
			if (errno == EINTR || errno == ECONNREFUSED)
				continue;
			die("receive");
		}
		int kept = 0;
		for (int i = 0; i < n; i++) {
			in_port_t port = peer_of[from[i].sin_port];
			if (port == 0)
				continue;
			from[i].sin_port = port;
			parts[i].iov_len = messages[i].msg_len;
			messages[kept].msg_hdr = messages[i].msg_hdr;
			kept++;
		}
		for (int sent = 0; sent < kept;) {
			int m = sendmmsg(fd, messages + sent, kept - sent, 0);
			if (m > 0)
				sent += m;
			else if (errno != EINTR && errno != ECONNREFUSED)
				die("send");
		}
	}
}

int main(int argc, char **argv)
{
	int batched = argc > 1 && strcmp(argv[1], "-b") == 0;
	char **arg = argv + batched;

	if (argc - batched != 6) {
		fprintf(stderr, "usage: forwarder [-b] address port first-caller-port first-answerer-port count\n");
		return 2;
	}
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port_number(arg[2]))};
	if (inet_pton(AF_INET, arg[1], &at.sin_addr) != 1) {
		fprintf(stderr, "forwarder: %s is not an IPv4 address\n", arg[1]);
		return 2;
	}
	int caller = port_number(arg[3]), answerer = port_number(arg[4]), count = port_number(arg[5]);
	if (count > MAX_PORTS || caller + count > 65536 || answerer + count > 65536) {
		fprintf(stderr, "forwarder: more than %d ports, or beyond 65535\n", MAX_PORTS);
		return 2;
	}
	for (int i = 0; i < count; i++) {
		peer_of[htons((in_port_t)(caller + i))] = htons((in_port_t)(answerer + i));
		peer_of[htons((in_port_t)(answerer + i))] = htons((in_port_t)(caller + i));
	}
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("open a socket");
	int size = RECV_BUFFER_BYTES;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size); /* the kernel cuts it to net.core.rmem_max: no error to handle */
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die("bind");
	fprintf(stderr, "forwarder ready\n");
	if (batched)
		batches(fd);
	else
		one(fd);
	return 0;
}
