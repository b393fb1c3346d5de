/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who a container may talk to. Attached at the engine's parent cgroups, so that containers and build steps are covered
 * from their first instant.
 *
 * Every packet that leaves a container's socket passes cgroup_skb/egress: that is the wall. The connect and sendmsg
 * hooks come earlier: they refuse at once (EPERM), where TCP would hang, they see addresses before NAT, and they know
 * the task.
 */
#define TELL_CGROUPS
#include "pratique/ask.h"
#include "pratique/birth.h"
#include "pratique/payload.h"

#define LOOPBACK_INTERFACE 1 /* the kernel gives lo this index in every network namespace */
#define STATE_LISTEN 10
#define ND_FIRST 133 /* router solicitation … redirect, RFC 4861 */
#define ND_LAST 137
#define ND_HOP_LIMIT 255
#define ND_MAX_LENGTH 64
#define MLD_QUERY 130 /* query, report, done, RFC 2710 */
#define MLD_DONE 132
#define MLD2_REPORT 143 /* RFC 3810 */
#define MLD_HOP_LIMIT 1

enum direction { UNKNOWN, OUTGOING, INCOMING };

/* What is known of a socket; a socket that a listener makes inherits it. */
struct pq_socket {
	__u32 generation; /* when verdict was given; 0: never */
	__u8 direction;
	__u8 verdict;
	__u8 payload_seen;
	__u8 of_user;  /* a raw socket that a program made, not the kernel */
	__u8 on_host;  /* … in the host's network namespace */
	__u8 isolated; /* its container is, or was when it ended, in quarantine */
	__u8 unused[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct pq_socket);
} pq_sockets SEC(".maps");

/* Runs for sockets of programs only: what the kernel makes for itself in a container's namespace stays unmarked. */
SEC("cgroup/sock_create")
int socket_made(struct bpf_sock *sk)
{
	struct pq_socket *state;

	if (sk->type != SOCK_RAW)
		return PASS;
	state = bpf_sk_storage_get(&pq_sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state)
		return REFUSE;
	state->of_user = 1;
	state->on_host = on_host(sk);
	return PASS;
}

#define SKB_ANCESTOR(level) bpf_skb_ancestor_cgroup_id(skb, level)

/* A connection older than this sensor: incoming if somebody listens on its port. */
PQ_INLINE bool has_listener(struct __sk_buff *skb, const struct pq_packet *packet)
{
	struct bpf_sock_tuple tuple = {};
	bool listens = false;
	struct bpf_sock *sk;

	/* The source port stays 0, so that the connection itself is not what is found. */
	if (packet->peer.family == PQ_FAMILY_IPV4) {
		tuple.ipv4.saddr = packet->peer.address[0];
		tuple.ipv4.daddr = packet->own_address[0];
		tuple.ipv4.dport = bpf_htons(packet->own_port);
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, packet->peer.address, 16);
		__builtin_memcpy(tuple.ipv6.daddr, packet->own_address, 16);
		tuple.ipv6.dport = bpf_htons(packet->own_port);
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (sk) {
		listens = sk->state == STATE_LISTEN;
		bpf_sk_release(sk);
	}
	return listens;
}

/* Up to 6.6 */
struct inet_sock___bits {
	__u8 freebind : 1, hdrincl : 1, transparent : 1;
} __attribute__((preserve_access_index));

/*
 * Whether the program, not the kernel, says where the socket's packets come from: an allowed peer would answer to the
 * attacker. IPv4 minds a foreign source where only FREEBIND is set.
 */
PQ_INLINE bool chooses_source(struct __sk_buff *skb, __u8 family)
{
	struct inet_sock *inet = (void *)BPF_CORE_READ((struct sk_buff *)skb, sk);
	struct inet_sock___bits *bits = (void *)inet;
	unsigned long flags;

	if (!bpf_core_field_exists(inet->inet_flags))
		return BPF_CORE_READ_BITFIELD_PROBED(bits, hdrincl) ||
		       BPF_CORE_READ_BITFIELD_PROBED(bits, transparent) ||
		       (family == PQ_FAMILY_IPV6 && BPF_CORE_READ_BITFIELD_PROBED(bits, freebind));
	flags = BPF_CORE_READ(inet, inet_flags);
	return flags & (1UL << INET_FLAGS_HDRINCL | 1UL << INET_FLAGS_TRANSPARENT) ||
	       (family == PQ_FAMILY_IPV6 && flags & 1UL << INET_FLAGS_FREEBIND);
}

/*
 * TCP of a stream socket. Answers of a server pass; raw sockets that send TCP do not come here. A SYN-ACK leaves by way
 * of the listener, which is marked INCOMING and hands that on to the connection's socket.
 */
PQ_INLINE int leave_stream(struct __sk_buff *skb, struct bpf_sock *sk, struct pq_owner *owner, struct pq_packet *packet,
			   struct pq_amount *amount)
{
	struct pq_socket *state = bpf_sk_storage_get(&pq_sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	bool opens = (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (!state)
		return account(owner, &packet->peer, judge(owner, &packet->peer), amount);
	if (state->isolated && !owner->bound)
		return REFUSE;
	state->isolated = 0;
	if (opens) {
		state->direction = OUTGOING;
		state->generation = 0;
	} else if (state->direction == UNKNOWN) {
		bool incoming = packet->tcp_flags & TCP_SYN ? sk->state == STATE_LISTEN : has_listener(skb, packet);

		state->direction = incoming ? INCOMING : OUTGOING;
	}
	if (state->direction == INCOMING)
		return account_ingress(owner, packet, amount, PQ_FLOW_ALLOWED);
	if (opens && chooses_source(skb, packet->peer.family))
		make_raw(packet, IPPROTO_TCP);
	if (state->generation != owner->generation) {
		state->verdict = judge(owner, &packet->peer);
		state->generation = owner->generation;
	}
	if (!state->payload_seen && state->verdict != PQ_FLOW_DENIED && skb->len > packet->payload) {
		state->payload_seen = 1;
		tell_payload(skb, owner, packet);
	}
	return account(owner, &packet->peer, state->verdict, amount);
}

/*
 * What the kernel itself sends to make IPv6 work: neighbour discovery and multicast listener reports. Only from sockets
 * that no program made, so that nothing can be smuggled; bounded in shape for raw sockets older than this sensor.
 */
PQ_INLINE bool is_housekeeping(struct bpf_sock *sk, const struct pq_packet *packet)
{
	const struct pq_peer *peer = &packet->peer;
	struct pq_socket *state;
	bool nd, mld;

	if (peer->family != PQ_FAMILY_IPV6 || peer->protocol != PQ_FLOW_ICMP || sk->type != SOCK_RAW)
		return false;
	nd = peer->port >= ND_FIRST && peer->port <= ND_LAST && packet->hop_limit == ND_HOP_LIMIT &&
	     packet->length <= ND_MAX_LENGTH;
	mld = ((peer->port >= MLD_QUERY && peer->port <= MLD_DONE) || peer->port == MLD2_REPORT) &&
	      packet->hop_limit == MLD_HOP_LIMIT && bpf_ntohl(peer->address[0]) >> 24 == 0xff;
	if (!nd && !mld)
		return false;
	state = bpf_sk_storage_get(&pq_sockets, sk, 0, 0);
	return !state || !state->of_user;
}

/* A datagram from port 53 that nobody asked for could pass for a DNS answer, also on the way to itself. */
PQ_INLINE bool is_forged_answer(const struct pq_packet *packet)
{
	return packet->peer.protocol == PQ_FLOW_UDP && packet->own_port == DNS_PORT;
}

/*
 * Whether an answer to a packet on loopback stays there. The kernel answers by itself (echo, reset, unreachable), to
 * whatever source a raw or transparent socket put on the packet, and what the kernel sends is nobody's. IPv4 sends
 * nothing from 127/8 to elsewhere; IPv6 has no such scruple.
 */
PQ_INLINE bool is_answered_here(const struct pq_packet *packet)
{
	const __u32 *to = packet->peer.address, *from = packet->own_address;
	struct pq_peer self = {.family = packet->peer.family};

	__builtin_memcpy(self.address, from, sizeof(self.address));
	return is_loopback(&self) || (self.family == PQ_FAMILY_IPV4 && is_loopback(&packet->peer)) ||
	       !((to[0] ^ from[0]) | (to[1] ^ from[1]) | (to[2] ^ from[2]) | (to[3] ^ from[3]));
}

/* What would be answered elsewhere is judged by where. Nothing of the packet but its source is sure to get there. */
PQ_INLINE void make_raw_to_source(struct pq_packet *packet)
{
	__builtin_memcpy(packet->peer.address, packet->own_address, sizeof(packet->own_address));
	make_raw(packet, packet->protocol);
}

/*
 * Loopback is free, but not for what pretends to be the resolver, for what would be sent on from there, and for raw
 * sockets on the host's.
 */
PQ_INLINE bool is_free(struct __sk_buff *skb, struct bpf_sock *sk, const struct pq_packet *packet)
{
	struct pq_peer self = {.family = packet->peer.family};
	struct pq_socket *state;

	if (skb->ifindex != LOOPBACK_INTERFACE || packet->steered)
		return false;
	if (is_forged_answer(packet)) {
		__builtin_memcpy(self.address, packet->own_address, sizeof(self.address));
		return is_loopback(&self) && !is_resolver(&self);
	}
	if (sk->type != SOCK_RAW)
		return true;
	state = bpf_sk_storage_get(&pq_sockets, sk, 0, 0);
	return !state || !state->on_host;
}

/* The engine's NAT has put the port of its own socket where the program had 53. */
PQ_INLINE void name_resolver(struct pq_peer *peer)
{
	if (peer->protocol == PQ_FLOW_TCP || peer->protocol == PQ_FLOW_UDP)
		peer->port = DNS_PORT;
}

/* A refused connection may outlive its cgroup, which nobody is then the owner of, or only the default. */
PQ_INLINE bool is_condemned(struct bpf_sock *sk)
{
	struct pq_socket *state = sk ? bpf_sk_storage_get(&pq_sockets, sk, 0, 0) : 0;

	return state && (state->isolated || (state->direction == OUTGOING && state->verdict == PQ_FLOW_DENIED));
}

PQ_INLINE bool is_host_socket(struct __sk_buff *skb)
{
	struct sock *sk = BPF_CORE_READ((struct sk_buff *)skb, sk);
	struct pq_config *settings = get_config();

	return !settings || (__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie) == settings->host_netns;
}

/*
 * Quarantine. What stays within a container's own loopback is its own affair; the resolver there, and the host's
 * loopback, are ways out. An answer is listed under the port that was asked, as it is for everybody.
 */
PQ_INLINE int leave_isolated(struct __sk_buff *skb, struct bpf_sock *sk, struct pq_owner *owner,
			     struct pq_packet *packet, struct pq_amount *amount)
{
	struct pq_socket *state;

	if (skb->ifindex == LOOPBACK_INTERFACE && is_answered_here(packet) && !is_resolver(&packet->peer) &&
	    is_free(skb, sk, packet) && !is_host_socket(skb))
		return PASS;
	if (packet->peer.protocol != PQ_FLOW_TCP || sk->type != SOCK_STREAM)
		return account(owner, &packet->peer, PQ_FLOW_DENIED, amount);
	state = bpf_sk_storage_get(&pq_sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (state)
		state->isolated = 1;
	if (state && state->direction == INCOMING)
		return account_ingress(owner, packet, amount, PQ_FLOW_DENIED);
	return account(owner, &packet->peer, PQ_FLOW_DENIED, amount);
}

SEC("cgroup_skb/egress")
int packet_leaves(struct __sk_buff *skb)
{
	struct pq_amount amount = {.packets = skb->gso_segs ?: 1, .bytes = skb->len};
	struct bpf_sock *sk = skb->sk;
	struct pq_packet packet = {};
	struct pq_owner owner;
	__u32 verdict;

	sk = sk ? bpf_sk_fullsock(sk) : 0;
	if (!find_owner(&owner, SKB_ANCESTOR))
		return is_condemned(sk) ? REFUSE : PASS;
	if (!sk || !read_packet(skb, &packet, true))
		return owner.slot.egress >= PQ_EGRESS_ENFORCE ? REFUSE : PASS;
	if (owner.slot.egress == PQ_EGRESS_ISOLATE)
		return leave_isolated(skb, sk, &owner, &packet, &amount);
	if (skb->ifindex == LOOPBACK_INTERFACE && !is_answered_here(&packet))
		make_raw_to_source(&packet);
	else if (is_resolver(&packet.peer))
		name_resolver(&packet.peer);
	else if (is_free(skb, sk, &packet))
		return PASS;
	if (packet.peer.protocol == PQ_FLOW_TCP && sk->type == SOCK_STREAM)
		return leave_stream(skb, sk, &owner, &packet, &amount);
	if (chooses_source(skb, packet.peer.family))
		make_raw(&packet, packet.protocol);
	verdict = judge(&owner, &packet.peer);
	if (verdict != PQ_FLOW_ALLOWED && is_housekeeping(sk, &packet))
		return PASS;
	if ((verdict != PQ_FLOW_ALLOWED || is_forged_answer(&packet)) &&
	    is_reply(&owner, &packet.peer, packet.own_port, skb->ifindex))
		return account_ingress(&owner, &packet, &amount, PQ_FLOW_ALLOWED);
	if (is_forged_answer(&packet) && owner.slot.egress == PQ_EGRESS_ENFORCE)
		verdict = PQ_FLOW_DENIED;
	if (packet.peer.protocol == PQ_FLOW_UDP && packet.peer.port == DNS_PORT && verdict != PQ_FLOW_DENIED)
		tell_payload(skb, &owner, &packet);
	return account(&owner, &packet.peer, verdict, &amount);
}

/* Whether a datagram answers what the container sent. */
PQ_INLINE bool is_answer(struct pq_owner *owner, struct pq_peer *peer)
{
	__u32 verdict = judge(owner, peer);
	struct pq_flow_key key = make_flow_key(owner, peer, PQ_FLOW_EGRESS, verdict);

	return verdict != PQ_FLOW_DENIED && bpf_map_lookup_elem(&pq_flows, &key);
}

PQ_INLINE int arrive_isolated(struct __sk_buff *skb, struct pq_owner *owner, struct pq_packet *packet,
			      struct pq_amount *amount)
{
	if (skb->ifindex == LOOPBACK_INTERFACE && !is_host_socket(skb))
		return PASS;
	if (!read_packet(skb, packet, false))
		return REFUSE;
	/* What belongs to a connection is counted as its other direction is cut: own ports may be random here. */
	if (packet->peer.protocol == PQ_FLOW_TCP && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return REFUSE;
	return account_ingress(owner, packet, amount, PQ_FLOW_DENIED);
}

SEC("cgroup_skb/ingress")
int packet_arrives(struct __sk_buff *skb)
{
	struct pq_amount amount = {.packets = skb->gso_segs ?: 1, .bytes = skb->len};
	struct pq_call call = {.at = bpf_ktime_get_ns(), .interface = skb->ifindex};
	struct pq_packet packet = {};
	struct bpf_sock *sk = skb->sk;
	struct pq_socket *state;
	struct pq_caller caller;
	struct pq_owner owner;

	if (!find_owner(&owner, SKB_ANCESTOR))
		return PASS;
	if (owner.slot.egress == PQ_EGRESS_ISOLATE)
		return arrive_isolated(skb, &owner, &packet, &amount);
	if (skb->ifindex == LOOPBACK_INTERFACE)
		return PASS;
	if (!read_packet(skb, &packet, false) || !packet.own_port)
		return PASS;
	if (packet.peer.protocol == PQ_FLOW_TCP) {
		sk = sk ? bpf_sk_fullsock(sk) : 0;
		state = sk ? bpf_sk_storage_get(&pq_sockets, sk, 0, 0) : 0;
		if ((packet.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN || (state && state->direction == INCOMING))
			account_ingress(&owner, &packet, &amount, PQ_FLOW_ALLOWED);
		return PASS;
	}
	if (is_answer(&owner, &packet.peer))
		return PASS;
	caller = make_caller(owner.cgroup, &packet.peer, packet.own_port);
	bpf_map_update_elem(&pq_callers, &caller, &call, BPF_ANY);
	return account_ingress(&owner, &packet, &amount, PQ_FLOW_ALLOWED);
}
