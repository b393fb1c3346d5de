/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events about the current task, and how many of them a container gets. */
#ifndef PRATIQUE_EXECUTION_H
#define PRATIQUE_EXECUTION_H

#include "pratique/binding.h"
#include "pratique/budget.h"
#include "pratique/file.h"

#define NAME_BYTES 96
#define PATH_STEPS 24
#define CGROUP_LEVELS 8

#define RING_BYTES (1 << 21)
/* Ordinary executions leave this much of the ring to drift. */
#define RING_RESERVE (1 << 20)
#define SAME_PER_SECOND 10
#define CONTAINER_PER_SECOND 500

PQ_RING(pq_executions, RING_BYTES);

PQ_INLINE __u64 hash_words(__u64 hash, const void *bytes, int size)
{
	const __u64 *words = bytes;

	for (int i = 0; i < size / 8; i++)
		hash = (hash ^ words[i]) * 0x100000001b3ULL;
	return hash;
}

/* Whether an ordinary execution is told. The same again and again, or too many of one container, are only counted. */
PQ_INLINE bool is_worth_telling(const struct pq_exec_event *event)
{
	__u64 hash = hash_words(0xcbf29ce484222325ULL, event->filename, PQ_FILENAME_BYTES);
	__u64 cgroup = event->header.cgroup;

	hash = hash_words(hash, event->arguments, PQ_ARGUMENTS_BYTES);
	return within_budget(cgroup, hash | 1, SAME_PER_SECOND) && within_budget(cgroup, 0, CONTAINER_PER_SECOND);
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

PQ_INLINE bool is_inside(struct cgroup *cgroup, __u64 id)
{
	int level = BPF_CORE_READ(cgroup, level);

	for (int i = 0; i <= CGROUP_LEVELS && i <= level; i++) {
		struct cgroup *ancestor = 0;

		bpf_core_read(&ancestor, sizeof(ancestor), &cgroup->ancestors[i]);
		if (BPF_CORE_READ(ancestor, kn, id) == id)
			return true;
	}
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

/* Written when the engine starts the first program of a container; by user space for those that were there before. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pq_home);
} pq_homes SEC(".maps");

PQ_INLINE struct pq_home find_home(struct task_struct *task, __u64 cgroup)
{
	struct pq_home *known = bpf_map_lookup_elem(&pq_homes, &cgroup);
	struct pq_home home = {
	    .device = BPF_CORE_READ(task, fs, root.mnt, mnt_sb, s_dev),
	    .user_namespace = owner_of_mounts(task),
	};

	if (known)
		return *known;
	if (comes_from_outside(task, cgroup))
		bpf_map_update_elem(&pq_homes, &cgroup, &home, BPF_NOEXIST);
	else if (BPF_CORE_READ(task, fs, root.mnt, mnt_sb, s_magic) != OVERLAYFS_MAGIC)
		home.device = 0;
	return home;
}

#endif
