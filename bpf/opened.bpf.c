// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which files of its image a container opens or executes, each told once. What is mapped is opened first. Told is what
 * comes in by the system calls and by execve; io_uring, which engines forbid by default, is another door.
 *
 * What a container wrote itself, volumes and special files are none of the image's. A file counts as told only when
 * there was room for it; so what a flood displaced is told when it is opened again.
 */
#include "pratique/birth.h"
#include "pratique/budget.h"
#include "pratique/names.h"
#include "pratique/prepare.h"

#define S_IFMT 0170000
#define S_IFREG 0100000
#define FILES_PER_SECOND 4000

PQ_RING(pq_opened, 1 << 21);

struct pq_file_key {
	__u64 cgroup;
	__u64 inode;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct pq_file_key);
	__type(value, __u8);
} pq_told SEC(".maps");

/* Whether a file is one of the image's, unchanged. The kernel opens a layer's file behind it, which is none. */
PQ_INLINE bool is_of_image(struct task_struct *task, struct inode *inode)
{
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);

	return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG && BPF_CORE_READ(sb, s_magic) == OVERLAYFS_MAGIC &&
	       sb == BPF_CORE_READ(task, fs, root.mnt, mnt_sb) && overlay_flags(inode) == FILE_LOWER;
}

PQ_INLINE bool tell(const struct pq_file_key *key, struct file *file)
{
	struct pq_opened_event *event = reserve_event(&pq_opened, struct pq_opened_event, PQ_EVENT_OPENED, key->cgroup,
						      bpf_get_current_pid_tgid() >> 32);

	if (!event)
		return false;
	__builtin_memset(event->names, 0, sizeof(event->names));
	read_names(event->names, file);
	bpf_ringbuf_submit(event, 0);
	return true;
}

PQ_INLINE int look_at(const struct pq_owner *owner, struct file *file)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pq_file_key key = {};
	struct inode *inode;
	__u8 told = 1;

	inode = BPF_CORE_READ(file, f_path.dentry, d_inode);
	key.cgroup = owner->cgroup;
	key.inode = BPF_CORE_READ(inode, i_ino);
	if (!is_of_image(task, inode) || bpf_map_lookup_elem(&pq_told, &key) || is_being_prepared(task, owner->cgroup))
		return 0;
	if (!within_budget(owner->cgroup, 0, FILES_PER_SECOND))
		count_loss(PQ_EVENT_OPENED);
	else if (tell(&key, file))
		bpf_map_update_elem(&pq_told, &key, &told, BPF_ANY);
	return 0;
}

PQ_INLINE int look_at_opened(long fd)
{
	struct pq_owner owner = {};
	struct file *file;

	if (fd < 0 || !find_current_owner(&owner))
		return 0;
	file = file_of(fd);
	return file ? look_at(&owner, file) : 0;
}

SEC("tp/syscalls/sys_exit_open")
int opened_path(struct trace_event_raw_sys_exit *ctx)
{
	return look_at_opened(ctx->ret);
}

SEC("tp/syscalls/sys_exit_openat")
int opened_at(struct trace_event_raw_sys_exit *ctx)
{
	return look_at_opened(ctx->ret);
}

SEC("tp/syscalls/sys_exit_openat2")
int opened_at_how(struct trace_event_raw_sys_exit *ctx)
{
	return look_at_opened(ctx->ret);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct pq_owner owner = {};

	return find_current_owner(&owner) ? look_at(&owner, bprm->file) : 0;
}
