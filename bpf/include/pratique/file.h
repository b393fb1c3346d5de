/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a file comes from: from the image, from the container, or from neither.
 *
 * Overlayfs keeps the upper dentry right behind the VFS inode, and the lower layers' dentries after it. The layout
 * changed in 6.0 and 6.5; CO-RE picks the right one when the program is loaded. All reads are probe reads, so that the
 * same code serves tp_btf and syscall tracepoints.
 */
#ifndef PRATIQUE_FILE_H
#define PRATIQUE_FILE_H

#include "pratique/program.h"

/*
 * What tells a container's own file system from any other that may be mounted in it: an attacker who can mount could
 * make an overlay of his own, with what he dropped as its lower layer, or a read-only mount.
 */
struct pq_home {
	__u32 device;	      /* s_dev of the root file system */
	__u32 user_namespace; /* inode number of the user namespace that owns the mounts */
};

/* pratique.model.ExecFlag */
enum file_flag {
	FILE_LOWER = 1,
	FILE_UPPER = 2,
	FILE_MEMFD = 4,
	FILE_DELETED = 8,
	FILE_NOT_OVERLAY = 16,
	FILE_SCRIPT = 32,
	FILE_MODIFIED = 64,
	FILE_LIBRARY = 128,
	FILE_KILLED = 256,
	FILE_READ_ONLY = 512,
};

#define OVERLAYFS_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define SB_READ_ONLY 1
#define MOUNT_READ_ONLY 0x40

/* 6.0 to 6.4 */
struct ovl_inode___lowerpath {
	struct ovl_path lowerpath;
} __attribute__((preserve_access_index));

/* up to 5.19 */
struct ovl_inode___lower {
	struct inode *lower;
} __attribute__((preserve_access_index));

/* 6.7 to 6.10 */
struct inode___underscore {
	struct timespec64 __i_mtime;
} __attribute__((preserve_access_index));

/* up to 6.6 */
struct inode___timespec {
	struct timespec64 i_mtime;
} __attribute__((preserve_access_index));

PQ_INLINE struct mount *mount_of(struct file *file)
{
	return (void *)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(((struct mount *)0)->mnt);
}

/* The file behind a descriptor of the current task. */
PQ_INLINE struct file *file_of(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = 0;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return file;
}

PQ_INLINE struct dentry *upper_dentry(struct inode *inode)
{
	struct dentry *upper = NULL;

	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + bpf_core_type_size(struct inode));
	return upper;
}

PQ_INLINE struct inode *lower_inode(struct inode *inode)
{
	struct ovl_inode *ovl;

	if (!bpf_core_field_exists(((struct ovl_inode *)0)->vfs_inode))
		return NULL;
	ovl = (void *)inode - bpf_core_field_offset(((struct ovl_inode *)0)->vfs_inode);
	if (bpf_core_field_exists(ovl->oe)) {
		struct ovl_entry *entry = BPF_CORE_READ(ovl, oe);

		if (!entry || !BPF_CORE_READ(entry, __numlower))
			return NULL;
		return BPF_CORE_READ(entry, __lowerstack[0].dentry, d_inode);
	}
	if (bpf_core_field_exists(((struct ovl_inode___lowerpath *)0)->lowerpath))
		return BPF_CORE_READ((struct ovl_inode___lowerpath *)ovl, lowerpath.dentry, d_inode);
	if (bpf_core_field_exists(((struct ovl_inode___lower *)0)->lower))
		return BPF_CORE_READ((struct ovl_inode___lower *)ovl, lower);
	return NULL;
}

PQ_INLINE void modified_at(struct inode *inode, __s64 *seconds, __u32 *nanoseconds)
{
	if (bpf_core_field_exists(inode->i_mtime_sec)) {
		*seconds = BPF_CORE_READ(inode, i_mtime_sec);
		*nanoseconds = BPF_CORE_READ(inode, i_mtime_nsec);
	} else if (bpf_core_field_exists(((struct inode___underscore *)0)->__i_mtime)) {
		*seconds = BPF_CORE_READ((struct inode___underscore *)inode, __i_mtime.tv_sec);
		*nanoseconds = BPF_CORE_READ((struct inode___underscore *)inode, __i_mtime.tv_nsec);
	} else {
		*seconds = BPF_CORE_READ((struct inode___timespec *)inode, i_mtime.tv_sec);
		*nanoseconds = BPF_CORE_READ((struct inode___timespec *)inode, i_mtime.tv_nsec);
	}
}

PQ_INLINE bool same_content_claimed(struct inode *upper, struct inode *lower)
{
	__s64 upper_seconds = 0, lower_seconds = 0;
	__u32 upper_nanoseconds = 0, lower_nanoseconds = 0;

	modified_at(upper, &upper_seconds, &upper_nanoseconds);
	modified_at(lower, &lower_seconds, &lower_nanoseconds);
	return upper_seconds == lower_seconds && upper_nanoseconds == lower_nanoseconds &&
	       BPF_CORE_READ(upper, i_size) == BPF_CORE_READ(lower, i_size);
}

PQ_INLINE __u32 overlay_flags(struct inode *inode)
{
	struct dentry *upper = upper_dentry(inode);
	struct inode *lower = lower_inode(inode);

	if (!upper)
		return FILE_LOWER;
	if (!lower)
		return FILE_UPPER;
	if (same_content_claimed(BPF_CORE_READ(upper, d_inode), lower))
		return FILE_UPPER | FILE_LOWER;
	return FILE_UPPER | FILE_LOWER | FILE_MODIFIED;
}

PQ_INLINE __u32 owner_of_mounts(struct task_struct *task)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns, user_ns, ns.inum);
}

PQ_INLINE bool is_read_only(struct file *file)
{
	return BPF_CORE_READ(file, f_path.mnt, mnt_flags) & MOUNT_READ_ONLY ||
	       BPF_CORE_READ(file, f_path.dentry, d_sb, s_flags) & SB_READ_ONLY;
}

/* The flags of a file that the current task executes. 0: the root is no overlay, so nobody knows. */
PQ_INLINE __u32 file_flags(struct file *file, const struct pq_home *home)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct inode *inode = BPF_CORE_READ(file, f_path.dentry, d_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	bool nameless = !BPF_CORE_READ(inode, i_nlink);
	__u64 magic = BPF_CORE_READ(sb, s_magic);
	__u32 flags = nameless ? FILE_DELETED : 0;

	if (BPF_CORE_READ(sb, s_dev) == home->device)
		return flags | (magic == OVERLAYFS_MAGIC ? overlay_flags(inode) : 0);
	flags |= FILE_NOT_OVERLAY;
	if (is_read_only(file) && owner_of_mounts(task) == home->user_namespace)
		flags |= FILE_READ_ONLY;
	if (nameless && (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC))
		flags |= FILE_MEMFD;
	return flags;
}

/* Whether a file lies on a private mount of overlayfs, that is in a layer: such mounts are in no namespace. */
PQ_INLINE bool is_in_layer(struct file *file)
{
	long namespace = (long)BPF_CORE_READ(mount_of(file), mnt_ns);

	return namespace <= 0 && namespace > -4096;
}

/*
 * Whether a file was not in the image. Size and time of change can be forged, so a copied-up file counts as drift
 * even when both are the image's, unless the policy says otherwise.
 */
PQ_INLINE bool is_drift(__u32 flags, const struct pq_slot *slot)
{
	if (flags & FILE_MEMFD)
		return true;
	if (flags & FILE_NOT_OVERLAY)
		return !(flags & FILE_READ_ONLY);
	if (!(flags & FILE_UPPER))
		return false;
	return !(slot->allow_changed_metadata && flags & FILE_LOWER && !(flags & (FILE_MODIFIED | FILE_DELETED)));
}

#endif
