/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The path of a file, as names. */
#ifndef PRATIQUE_NAMES_H
#define PRATIQUE_NAMES_H

#include "pratique/file.h"

#define NAME_BYTES 96
#define PATH_STEPS 24

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

#endif
