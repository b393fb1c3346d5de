/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * connect() and sendmsg() with an address, before anything is sent. Whatever passes here is judged once more as a
 * packet, so these programs may let through what they cannot know.
 */
#ifndef PRATIQUE_ASK_H
#define PRATIQUE_ASK_H

#include "pratique/caller.h"

#define AF_INET 2
#define AF_INET6 10

/* Loopback belongs to a container unless it shares the host's network. */
#define on_host(ctx)                                                                                                   \
	({                                                                                                             \
		struct pq_config *settings_ = get_config();                                                            \
		settings_ ? bpf_get_netns_cookie(ctx) == settings_->host_netns : false;                                \
	})

/* What a program was called with; the address as connect() got it, for bpf_bind. */
struct pq_request {
	struct pq_peer peer;
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address;
	bool connects;
};

/*
 * Whether the peer is the container itself, by its own address. Binding to an address works only where it is one's own,
 * and is what connect() to it does anyway. For sendmsg there is no such helper: there a socket that would receive it is
 * enough, since a packet that leaves all the same is refused with the same error.
 */
PQ_INLINE bool is_itself(struct bpf_sock_addr *ctx, struct pq_request *request)
{
	const struct pq_peer *peer = &request->peer;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	if (on_host(ctx))
		return false;
	if (request->connects && request->address.any.sa_family == AF_INET)
		return !bpf_bind(ctx, &request->address.any, sizeof(request->address.ipv4));
	if (request->connects)
		return !bpf_bind(ctx, &request->address.any, sizeof(request->address.ipv6));
	if (peer->family == PQ_FAMILY_IPV4) {
		tuple.ipv4.saddr = tuple.ipv4.daddr = peer->address[0];
		tuple.ipv4.dport = bpf_htons(peer->port);
		sk = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, peer->address, 16);
		__builtin_memcpy(tuple.ipv6.daddr, peer->address, 16);
		tuple.ipv6.dport = bpf_htons(peer->port);
		sk = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

PQ_INLINE int ask(struct bpf_sock_addr *ctx, struct pq_request *request)
{
	struct pq_peer *peer = &request->peer;
	struct pq_amount amount = {};
	struct pq_owner owner;
	__u32 verdict;

	if (!find_current_owner(&owner))
		return PASS;
	peer->port = bpf_ntohs(ctx->user_port);
	if (ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_MPTCP)
		peer->protocol = PQ_FLOW_TCP;
	else if (ctx->protocol == IPPROTO_UDP || ctx->protocol == IPPROTO_UDPLITE)
		peer->protocol = PQ_FLOW_UDP;
	else
		return PASS;
	if (is_loopback(peer) && !is_resolver(peer) && !on_host(ctx))
		return PASS;
	verdict = judge(&owner, peer);
	if (verdict == PQ_FLOW_ALLOWED)
		return PASS; /* the packet will be counted */
	if (ctx->sk && is_reply(&owner, peer, ctx->sk->src_port, 0))
		return PASS;
	if (!is_resolver(peer) && is_itself(ctx, request))
		return PASS;
	amount.packets = verdict == PQ_FLOW_DENIED;
	return account(&owner, peer, verdict, &amount);
}

PQ_INLINE int ask_ipv4(struct bpf_sock_addr *ctx, bool connects)
{
	struct pq_request request = {.connects = connects};

	request.peer.family = PQ_FAMILY_IPV4;
	request.peer.address[0] = ctx->user_ip4;
	request.address.ipv4.sin_family = AF_INET;
	request.address.ipv4.sin_addr.s_addr = ctx->user_ip4;
	return ask(ctx, &request);
}

PQ_INLINE int ask_ipv6(struct bpf_sock_addr *ctx, bool connects)
{
	struct pq_request request = {.connects = connects};
	__u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	request.address.ipv6.sin6_family = AF_INET6;
	__builtin_memcpy(&request.address.ipv6.sin6_addr, words, sizeof(words));
	if (!words[0] && !words[1] && words[2] == bpf_htonl(0xffff)) {
		request.peer.family = PQ_FAMILY_IPV4;
		request.peer.address[0] = words[3];
	} else {
		request.peer.family = PQ_FAMILY_IPV6;
		__builtin_memcpy(request.peer.address, words, sizeof(words));
	}
	return ask(ctx, &request);
}

SEC("cgroup/connect4")
int connect_ipv4(struct bpf_sock_addr *ctx)
{
	return ask_ipv4(ctx, true);
}

SEC("cgroup/connect6")
int connect_ipv6(struct bpf_sock_addr *ctx)
{
	return ask_ipv6(ctx, true);
}

SEC("cgroup/sendmsg4")
int send_ipv4(struct bpf_sock_addr *ctx)
{
	return ask_ipv4(ctx, false);
}

SEC("cgroup/sendmsg6")
int send_ipv6(struct bpf_sock_addr *ctx)
{
	return ask_ipv6(ctx, false);
}

#endif
