/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events about the current task, and how many of them a container gets. */
#ifndef PRATIQUE_EXECUTION_H
#define PRATIQUE_EXECUTION_H

#include "pratique/binding.h"
#include "pratique/budget.h"
#include "pratique/file.h"
#include "pratique/names.h"
#include "pratique/prepare.h"

#define CHUNK_BYTES 128

#define RING_BYTES (1 << 21)
#define RING_RESERVE (1 << 20)
#define SAME_PER_SECOND 10
#define CONTAINER_PER_SECOND 500

PQ_RING(pq_executions, RING_BYTES);

PQ_INLINE __u64 hash_chunk(__u64 hash, const char *chunk)
{
	for (int i = 0; i < CHUNK_BYTES / 8; i++)
		hash = (hash ^ ((const __u64 *)chunk)[i]) * 0x100000001b3ULL;
	return hash;
}

/* A number for what is executed and how: all that an event could tell of filename and arguments. */
PQ_INLINE __u64 fingerprint(struct task_struct *task, const char *filename)
{
	unsigned long start = BPF_CORE_READ(task, mm, arg_start);
	unsigned long end = BPF_CORE_READ(task, mm, arg_end);
	__u64 hash = 0xcbf29ce484222325ULL;
	char chunk[CHUNK_BYTES];

	for (int i = 0; i < PQ_FILENAME_BYTES / CHUNK_BYTES; i++) {
		__builtin_memset(chunk, 0, sizeof(chunk));
		if (bpf_probe_read_kernel_str(chunk, sizeof(chunk), filename + i * (CHUNK_BYTES - 1)) < CHUNK_BYTES)
			i = PQ_FILENAME_BYTES;
		hash = hash_chunk(hash, chunk);
	}
	for (int i = 0; i < PQ_ARGUMENTS_BYTES / CHUNK_BYTES; i++) {
		unsigned long from = start + i * CHUNK_BYTES;
		__u32 size = end - from;

		if (from >= end)
			break;
		barrier_var(size); /* the verifier has to see the comparison of this very register */
		if (size > CHUNK_BYTES)
			size = CHUNK_BYTES;
		__builtin_memset(chunk, 0, sizeof(chunk));
		bpf_probe_read_user(chunk, size, (void *)from);
		hash = hash_chunk(hash, chunk);
	}
	return hash;
}

/* Whether an ordinary execution is told. The same again and again, or too many of one container, are only counted. */
PQ_INLINE bool is_worth_telling(__u64 cgroup, struct task_struct *task, const char *filename)
{
	if (within_budget(cgroup, fingerprint(task, filename) | 1, SAME_PER_SECOND) &&
	    within_budget(cgroup, 0, CONTAINER_PER_SECOND))
		return true;
	count_loss(PQ_EVENT_EXEC_REPEATED);
	return false;
}

/* Ordinary executions leave a part of the ring to drift. */
PQ_INLINE bool has_room(void)
{
	if (bpf_ringbuf_query(&pq_executions, BPF_RB_AVAIL_DATA) <= RING_BYTES - RING_RESERVE)
		return true;
	count_loss(PQ_EVENT_EXEC);
	return false;
}

PQ_INLINE void read_arguments(struct pq_exec_event *event, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	unsigned long start = BPF_CORE_READ(mm, arg_start);
	unsigned long size = BPF_CORE_READ(mm, arg_end) - start;

	if (size > PQ_ARGUMENTS_BYTES)
		size = PQ_ARGUMENTS_BYTES;
	bpf_probe_read_user(event->arguments, size, (void *)start);
}

/* Reserve an event about the current task; everything but the names of files is filled in. */
PQ_INLINE struct pq_exec_event *begin_event(__u64 cgroup, __u32 flags)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct pq_exec_event *event = bpf_ringbuf_reserve(&pq_executions, sizeof(*event), 0);

	if (!event) {
		count_loss(PQ_EVENT_EXEC);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->header.at = bpf_ktime_get_ns();
	event->header.cgroup = cgroup;
	event->header.kind = PQ_EVENT_EXEC;
	event->header.pid = bpf_get_current_pid_tgid() >> 32;
	event->parent = BPF_CORE_READ(parent, tgid);
	event->uid = bpf_get_current_uid_gid();
	event->flags = flags;
	bpf_get_current_comm(event->command, PQ_COMM_BYTES);
	BPF_CORE_READ_STR_INTO(&event->parent_command, parent, comm);
	read_arguments(event, task);
	return event;
}

/*
 * Written when the engine starts the first program of a container; by user space for those that were there before. A
 * container without a home is still being prepared: hooks of the engine may run in it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pq_home);
} pq_homes SEC(".maps");

PQ_INLINE struct pq_home *find_home(__u64 cgroup)
{
	return bpf_map_lookup_elem(&pq_homes, &cgroup);
}

PQ_INLINE struct pq_home *find_or_note_home(struct task_struct *task, __u64 cgroup)
{
	struct pq_home *known = find_home(cgroup);
	struct pq_home home;

	if (known || !comes_from_outside(task, cgroup))
		return known;
	home.device = BPF_CORE_READ(task, fs, root.mnt, mnt_sb, s_dev);
	home.user_namespace = owner_of_mounts(task);
	bpf_map_update_elem(&pq_homes, &cgroup, &home, BPF_NOEXIST);
	return find_home(cgroup);
}

#endif
