/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet says about itself, read from a cgroup_skb program's skb (which begins with the IP header).
 *
 * Whatever is unusual is "raw" and needs a rule of its own: IPv4 options (a source route hides the destination), IPv6
 * routing headers, unknown protocols. A fragment that is not the first has no ports: it passes only where every port of
 * its protocol may.
 */
#ifndef PRATIQUE_PARSE_H
#define PRATIQUE_PARSE_H

#include "pratique/program.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV4_OFFSET 0x1fff
#define IPV6_OFFSET 0xfff8
#define MAX_EXTENSIONS 4
#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_DESTINATION 60
#define PROTOCOL_ICMPV6 58
#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* One end of a conversation as rules see it. */
struct pq_peer {
	__u32 address[4]; /* network order, IPv4 in the first */
	__u16 port;
	__u8 protocol;
	__u8 family;
};

struct pq_packet {
	struct pq_peer peer; /* the other end: destination of what leaves, source of what arrives */
	__u32 own_address[4];
	__u16 own_port;
	__u8 tcp_flags;
	__u8 hop_limit;
	__u8 protocol; /* the number in the header, or behind the last extension that was read */
	__u16 payload; /* offset of the transport's payload, 0: none */
	__u16 length;  /* of transport header and payload */
	bool steered;  /* by a header that may send it on from where it arrives */
};

/* Only the beginning that options and fragments of IPv6 have in common; lengths are in 8 bytes beyond the first 8. */
struct pq_extension {
	__u8 next;
	__u8 length;
	__be16 fragment_offset;
	__be32 rest;
};

/* Raw's "port" is the number of the IP protocol. */
PQ_INLINE void make_raw(struct pq_packet *packet, __u8 protocol)
{
	packet->protocol = protocol;
	packet->peer.protocol = PQ_FLOW_RAW;
	packet->peer.port = protocol;
}

PQ_INLINE void set_protocol(struct pq_packet *packet, __u8 protocol)
{
	struct pq_peer *peer = &packet->peer;

	packet->protocol = protocol;
	if (protocol == IPPROTO_TCP)
		peer->protocol = PQ_FLOW_TCP;
	else if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
		peer->protocol = PQ_FLOW_UDP;
	else if (protocol == IPPROTO_ICMP || protocol == PROTOCOL_ICMPV6)
		peer->protocol = PQ_FLOW_ICMP;
	else
		make_raw(packet, protocol);
}

PQ_INLINE void read_transport(struct __sk_buff *skb, struct pq_packet *packet, __u32 offset, __u8 protocol,
			      bool outgoing)
{
	__be16 ports[2] = {};
	__u8 byte = 0;

	packet->length = skb->len > offset ? skb->len - offset : 0;
	set_protocol(packet, protocol);
	if (packet->peer.protocol == PQ_FLOW_ICMP) {
		bpf_skb_load_bytes(skb, offset, &byte, 1);
		packet->peer.port = byte;
	}
	if (packet->peer.protocol != PQ_FLOW_TCP && packet->peer.protocol != PQ_FLOW_UDP)
		return;
	if (bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
		return;
	packet->peer.port = bpf_ntohs(outgoing ? ports[1] : ports[0]);
	packet->own_port = bpf_ntohs(outgoing ? ports[0] : ports[1]);
	packet->payload = offset + sizeof(struct udphdr);
	if (protocol != IPPROTO_TCP)
		return;
	bpf_skb_load_bytes(skb, offset + 12, &byte, 1);
	bpf_skb_load_bytes(skb, offset + 13, &packet->tcp_flags, 1);
	packet->payload = offset + (byte >> 4) * 4;
}

PQ_INLINE bool read_ipv4(struct __sk_buff *skb, struct pq_packet *packet, bool outgoing)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return false;
	packet->peer.family = PQ_FAMILY_IPV4;
	packet->peer.address[0] = outgoing ? ip.daddr : ip.saddr;
	packet->own_address[0] = outgoing ? ip.saddr : ip.daddr;
	packet->hop_limit = ip.ttl;
	packet->steered = ip.ihl != sizeof(ip) / 4;
	if (packet->steered)
		make_raw(packet, ip.protocol);
	else if (bpf_ntohs(ip.frag_off) & IPV4_OFFSET)
		set_protocol(packet, ip.protocol);
	else
		read_transport(skb, packet, sizeof(ip), ip.protocol, outgoing);
	return true;
}

PQ_INLINE bool read_ipv6(struct __sk_buff *skb, struct pq_packet *packet, bool outgoing)
{
	struct ipv6hdr ip;
	__u32 offset = sizeof(ip);
	__u8 next;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return false;
	packet->peer.family = PQ_FAMILY_IPV6;
	__builtin_memcpy(packet->peer.address, outgoing ? &ip.daddr : &ip.saddr, 16);
	__builtin_memcpy(packet->own_address, outgoing ? &ip.saddr : &ip.daddr, 16);
	packet->hop_limit = ip.hop_limit;
	next = ip.nexthdr;
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		struct pq_extension extension;

		if (next != NEXT_HOP_BY_HOP && next != NEXT_DESTINATION && next != NEXT_FRAGMENT)
			break;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)))
			break;
		if (next == NEXT_FRAGMENT && bpf_ntohs(extension.fragment_offset) & IPV6_OFFSET) {
			set_protocol(packet, extension.next);
			return true;
		}
		offset += next == NEXT_FRAGMENT ? sizeof(extension) : (extension.length + 1) * 8;
		next = extension.next;
	}
	packet->steered = next == NEXT_ROUTING;
	read_transport(skb, packet, offset, next, outgoing);
	return true;
}

/* false: not IP, or too short to be. */
PQ_INLINE bool read_packet(struct __sk_buff *skb, struct pq_packet *packet, bool outgoing)
{
	if (skb->protocol == bpf_htons(ETHERTYPE_IPV4))
		return read_ipv4(skb, packet, outgoing);
	if (skb->protocol == bpf_htons(ETHERTYPE_IPV6))
		return read_ipv6(skb, packet, outgoing);
	return false;
}

/* 127/8, ::1 and the unspecified address, which connect() takes for them; v4-mapped addresses are IPv4 by now. */
PQ_INLINE bool is_loopback(const struct pq_peer *peer)
{
	__u32 first = bpf_ntohl(peer->address[0]);

	if (peer->family == PQ_FAMILY_IPV4)
		return first >> 24 == 127 || first == 0;
	return !(peer->address[0] | peer->address[1] | peer->address[2]) && bpf_ntohl(peer->address[3]) <= 1;
}

/* 127.0.0.11: the engine's own resolver, which forwards what it is asked to the world. */
PQ_INLINE bool is_resolver(const struct pq_peer *peer)
{
	return peer->family == PQ_FAMILY_IPV4 && peer->address[0] == bpf_htonl(0x7f00000b);
}

#endif
