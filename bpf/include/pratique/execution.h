/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events about the current task, and how many of them a container gets. */
#ifndef PRATIQUE_EXECUTION_H
#define PRATIQUE_EXECUTION_H

#include "pratique/binding.h"
#include "pratique/budget.h"
#include "pratique/file.h"

#define CHUNK_BYTES 128
#define NAME_BYTES 96
#define PATH_STEPS 24
#define CGROUP_LEVELS 32

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

PQ_INLINE long read_name(char *to, struct dentry *dentry)
{
	return bpf_probe_read_kernel_str(to, NAME_BYTES, BPF_CORE_READ(dentry, d_name.name));
}

/*
 * The names on the way from a file to the root of its mount namespace, then "/". What does not fit is left out, the
 * "/" first. A memfd has one name and is in no directory.
 */
PQ_INLINE void read_names(char *names, struct file *file)
{
	struct mount *mount = mount_of(file);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	__u32 offset = 0;

	if (dentry == BPF_CORE_READ(dentry, d_parent)) {
		read_name(names, dentry);
		return;
	}
	for (int i = 0; i < PATH_STEPS && offset <= PQ_FILENAME_BYTES - NAME_BYTES; i++) {
		struct dentry *above = BPF_CORE_READ(dentry, d_parent);
		struct mount *outer = BPF_CORE_READ(mount, mnt_parent);
		long size;

		if (dentry == above || dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			if (!outer || outer == mount) {
				names[offset] = '/';
				break;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = outer;
			continue;
		}
		size = read_name(names + offset, dentry);
		if (size <= 0)
			break;
		offset += size;
		dentry = above;
	}
}

/* up to 6.0 */
struct cgroup___ids {
	__u64 ancestor_ids[CGROUP_LEVELS];
} __attribute__((preserve_access_index));

PQ_INLINE __u64 ancestor_id(struct cgroup *cgroup, int level)
{
	struct cgroup *ancestor = 0;
	__u64 id = 0;

	if (bpf_core_field_exists(cgroup->ancestors)) {
		bpf_core_read(&ancestor, sizeof(ancestor), &cgroup->ancestors[level]);
		return BPF_CORE_READ(ancestor, kn, id);
	}
	bpf_core_read(&id, sizeof(id), &((struct cgroup___ids *)cgroup)->ancestor_ids[level]);
	return id;
}

PQ_INLINE bool is_inside(struct cgroup *cgroup, __u64 id)
{
	int level = BPF_CORE_READ(cgroup, level);

	for (int i = 0; i < CGROUP_LEVELS && i <= level; i++)
		if (ancestor_id(cgroup, i) == id)
			return true;
	return false;
}

/* Whether the parent of a task is outside of a container. */
PQ_INLINE bool comes_from_outside(struct task_struct *task, __u64 cgroup)
{
	return !is_inside(BPF_CORE_READ(task, real_parent, cgroups, dfl_cgrp), cgroup);
}

/*
 * Whether the engine is still preparing the current task. runc moves its child into the container's cgroup while the
 * child executes runc once more, from memory or from a file of the host (CVE-2019-5736); until it enters the container
 * the child has the mount namespace of its parent, and the parent is not in the container's cgroup. A process of the
 * container has a parent in the cgroup, or (the first one, orphans) one in another mount namespace.
 */
PQ_INLINE bool is_being_prepared(struct task_struct *task, __u64 cgroup)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns) == BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns) &&
	       comes_from_outside(task, cgroup);
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
