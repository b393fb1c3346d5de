/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space writes into maps and reads out of ring buffers: the contract with src/pratique/sensor/wire.py.
 * Compiles for BPF and, for the test of its layout, in user space. No implicit padding: every hole is a member.
 */
#ifndef PRATIQUE_WIRE_H
#define PRATIQUE_WIRE_H

#define PQ_MAX_PARENTS 4
#define PQ_NAME_BYTES 64
#define PQ_COMM_BYTES 16
#define PQ_PAYLOAD_BYTES 128

/* struct pq_slot, egress */
enum pq_egress_mode {
	PQ_EGRESS_LEARN,
	PQ_EGRESS_MONITOR,
	PQ_EGRESS_ENFORCE,
	PQ_EGRESS_ISOLATE, /* quarantine: nothing passes in either direction, rules or none */
};
/* struct pq_slot, drift */
enum pq_drift_mode { PQ_DRIFT_ALERT, PQ_DRIFT_KILL };

/* Rules are looked up from the most to the least specific shape. */
enum pq_rule_shape { PQ_RULE_PORT = 1, PQ_RULE_PROTOCOL = 2, PQ_RULE_ANY = 4 };

/* Map "pq_slots": slot number -> what holds for the containers bound to it. */
struct pq_slot {
	__u32 policy; /* KernelPolicy.id */
	__u8 egress;
	__u8 drift;
	__u8 allow_changed_metadata;
	__u8 rules; /* enum pq_rule_shape, or-ed: which look-ups can find something */
};

/* struct pq_parent, kind */
enum pq_parent_kind { PQ_PARENT_ALL, PQ_PARENT_NAMED };

struct pq_parent {
	__u64 cgroup;
	__u32 level;
	__u32 kind;
};

/* Map "pq_config", one element. Parents are sorted by level, deepest first. */
struct pq_config {
	__u32 generation; /* raised with every change of policy: sockets are judged again */
	__u32 default_slot;
	__u64 host_netns; /* SO_NETNS_COOKIE of the host */
	__u32 parent_count;
	__u32 unused;
	struct pq_parent parents[PQ_MAX_PARENTS];
};

/* struct pq_binding, kind */
enum pq_binding_kind {
	PQ_BOUND_CONTAINER, /* name: 64 hex digits */
	PQ_BOUND_BUILD,	    /* name: the id of a build step */
	PQ_BOUND_GROUP,	    /* a directory of build steps: its children are bound, not it */
	PQ_BOUND_OTHER,	    /* anything else below a parent of kind ALL */
};

/* Map "pq_bindings": id of a container's cgroup -> slot (0: the default slot) and the container's name. */
struct pq_binding {
	__u32 slot;
	__u32 kind;
	char name[PQ_NAME_BYTES];
};

/* Map "pq_tickets": container id, 64 hex digits -> struct pq_ticket. Written before the container is started. */
struct pq_ticket_key {
	char id[PQ_NAME_BYTES];
};

struct pq_ticket {
	__u32 slot;
};

/* Every record of every ring buffer starts with this. Kinds are unique over all blobs. */
enum pq_event_kind {
	PQ_EVENT_CGROUP = 1,
	PQ_EVENT_FLOW = 2,
	PQ_EVENT_PAYLOAD = 3,
	PQ_EVENT_EXEC = 16,
	PQ_EVENT_PACKET_SOCKET = 17,
	PQ_EVENT_EXEC_REPEATED = 18, /* no event, only counted: ordinary executions over the budget */
	PQ_EVENT_OPENED = 19,
};

struct pq_event_header {
	__u64 at;     /* CLOCK_MONOTONIC, ns */
	__u64 cgroup; /* the container's cgroup, also for what runs in a cgroup below it */
	__u32 kind;
	__u32 pid;
};

/* PQ_EVENT_CGROUP: a child of a parent was bound or went away. */
struct pq_cgroup_event {
	struct pq_event_header header;
	__u32 created;
	__u32 slot;
	__u32 kind; /* enum pq_binding_kind */
	__u32 unused;
	char name[PQ_NAME_BYTES];
};

enum pq_flow_verdict { PQ_FLOW_ALLOWED, PQ_FLOW_LEARNT, PQ_FLOW_REPORTED, PQ_FLOW_DENIED };
enum pq_flow_direction { PQ_FLOW_EGRESS, PQ_FLOW_INGRESS };
enum pq_flow_family { PQ_FAMILY_IPV4 = 4, PQ_FAMILY_IPV6 = 6 };
enum pq_flow_protocol { PQ_FLOW_ICMP = 1, PQ_FLOW_TCP = 6, PQ_FLOW_UDP = 17, PQ_FLOW_RAW = 255 };

/* Map "pq_rules", an LPM trie: what a slot allows. prefixlen counts the bits after itself. */
struct pq_rule_key {
	__u32 prefixlen;
	__u32 slot;
	__u16 port;    /* host order, 0: any */
	__u8 protocol; /* enum pq_flow_protocol, 0: any */
	__u8 family;
	__u8 address[16]; /* IPv4 in the first 4 bytes */
};

/* Map "pq_flows". */
struct pq_flow_key {
	__u64 cgroup;
	__u32 policy;
	__u16 port; /* egress: the peer's; ingress: the container's own; ICMP: type; raw: IP protocol */
	__u8 protocol;
	__u8 family;
	__u8 direction;
	__u8 verdict;
	__u8 unused[6];
	__u8 address[16]; /* the peer's */
};

struct pq_flow_value {
	__u64 packets;
	__u64 bytes;
	__u64 first;
	__u64 last;
	__u64 told; /* when the last event was sent */
	char command[PQ_COMM_BYTES];
};

/* PQ_EVENT_FLOW: a new tuple, or a refusal (at most one a second for each tuple). */
struct pq_flow_event {
	struct pq_event_header header;
	struct pq_flow_key key;
	char command[PQ_COMM_BYTES];
};

/* PQ_EVENT_PAYLOAD: the beginning of a conversation that its content gives away. */
struct pq_payload_event {
	struct pq_event_header header;
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 family;
	__u32 length;
	__u8 payload[PQ_PAYLOAD_BYTES];
};

#define PQ_FILENAME_BYTES 256
#define PQ_INTERPRETER_BYTES 64
#define PQ_ARGUMENTS_BYTES 512

/* PQ_EVENT_EXEC: a program was started, or a file that was not in the image was mapped executable or run as a script.
 */
struct pq_exec_event {
	struct pq_event_header header;
	__u32 parent;
	__u32 uid;
	__u32 flags; /* pratique.model.ExecFlag */
	__u32 unused;
	char command[PQ_COMM_BYTES];
	char parent_command[PQ_COMM_BYTES];
	/* As given to execve. With flag LIBRARY: names, each with its NUL, from the file up to the root of its mounts.
	 */
	char filename[PQ_FILENAME_BYTES];
	char interpreter[PQ_INTERPRETER_BYTES];
	char arguments[PQ_ARGUMENTS_BYTES]; /* as they lie in memory, each with its NUL */
};

/* PQ_EVENT_OPENED: a file of the image was opened for the first time in this container. */
struct pq_opened_event {
	struct pq_event_header header;
	char names[PQ_FILENAME_BYTES]; /* each with its NUL, from the file up to the root of its mounts */
};

/* PQ_EVENT_PACKET_SOCKET: a socket was asked for, or a frame came, that the hooks of IP do not see. */
struct pq_packet_socket_event {
	struct pq_event_header header;
	__u32 family;
	__u32 stopped; /* the process was killed, or the frame dropped */
	char command[PQ_COMM_BYTES];
};

#endif
