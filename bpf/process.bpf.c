// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What containers execute: an event for each program; for what was not in the image an alert, or the end.
 *
 * SIGKILL sent from sched_process_exec arrives before the first instruction of the new program. Four doors lead to
 * execution: the program itself, its dynamic loader (PT_INTERP, mapped by the kernel), whatever is mapped executable
 * later, and a #! script, whose file is only known when the interpreter opens it.
 */
#include "pratique/birth.h"
#include "pratique/execution.h"

#define SIGKILL 9
#define PROT_READ 1
#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20
#define READ_IMPLIES_EXEC 0x0400000
#define AT_NULL 0
#define AT_ENTRY 9
#define AUXILIARY_PAIRS 24
#define MAX_MAPPINGS 4096
#define SCRIPT_NAMES 3

struct pt_regs___x86 {
	unsigned long ip;
} __attribute__((preserve_access_index));

struct pt_regs___arm64 {
	__u64 pc;
} __attribute__((preserve_access_index));

/*
 * A script that a task was told to run and has not opened yet. Where the interpreter is a script too, its interpreter
 * opens that one instead, and is told it as the first or second argument.
 */
struct pq_script {
	char names[SCRIPT_NAMES][PQ_FILENAME_BYTES]; /* as given to execve, and those arguments */
	char interpreter[PQ_INTERPRETER_BYTES];
	bool opening;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct pq_script);
} pq_scripts SEC(".maps");

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(forget_home, struct cgroup *cgroup, const char *path)
{
	__u64 id = cgroup->kn->id;

	if (is_unified(cgroup))
		bpf_map_delete_elem(&pq_homes, &id);
	return 0;
}

/* Kill where the policy says so; return the flag that tells. */
PQ_INLINE __u32 stop(const struct pq_owner *owner)
{
	return owner->slot.drift == PQ_DRIFT_KILL && !bpf_send_signal(SIGKILL) ? FILE_KILLED : 0;
}

/* A file was mapped executable: stop and tell when it was not in the image. */
PQ_INLINE void judge_mapping(const struct pq_owner *owner, struct file *file, __u32 flags)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pq_exec_event *event;

	if (!is_drift(flags, &owner->slot) || is_being_prepared(task, owner->cgroup))
		return;
	event = begin_event(owner->cgroup, flags | FILE_LIBRARY | stop(owner));
	if (!event)
		return;
	read_names(event->filename, file);
	bpf_ringbuf_submit(event, 0);
}

struct pq_mapped {
	struct file *file;
	unsigned long end;
};

static long remember_file(struct task_struct *task, struct vm_area_struct *area, struct pq_mapped *mapped)
{
	mapped->file = BPF_CORE_READ(area, vm_file);
	mapped->end = BPF_CORE_READ(area, vm_end);
	return 0;
}

/* The flags of a file by its mapping, which for one of an overlay holds the layer's file. */
PQ_INLINE __u32 mapped_flags(struct file *file, const struct pq_home *home)
{
	if (is_in_layer(file))
		return is_read_only(file) ? FILE_LOWER : FILE_UPPER;
	return file_flags(file, home);
}

PQ_INLINE unsigned long auxiliary(struct task_struct *task, unsigned long type)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	for (int i = 0; i < AUXILIARY_PAIRS; i++) {
		unsigned long pair[2] = {};

		bpf_core_read(&pair, sizeof(pair), &mm->saved_auxv[2 * i]);
		if (pair[0] == type)
			return pair[1];
		if (pair[0] == AT_NULL)
			break;
	}
	return 0;
}

PQ_INLINE unsigned long first_instruction(struct task_struct *task)
{
	void *registers = (void *)bpf_task_pt_regs(task);

	if (bpf_core_field_exists(((struct pt_regs___x86 *)0)->ip))
		return BPF_CORE_READ((struct pt_regs___x86 *)registers, ip);
	return BPF_CORE_READ((struct pt_regs___arm64 *)registers, pc);
}

/*
 * Where the program does not begin with its own code, the dynamic loader runs first. No system call of the container
 * maps it, and its place is no help: AT_BASE is 0 for a loader that is not relocatable.
 */
PQ_INLINE void judge_dynamic_loader(const struct pq_owner *owner, const struct pq_home *home, struct task_struct *task)
{
	unsigned long first = first_instruction(task);
	struct pq_mapped mapped = {};

	if (first == auxiliary(task, AT_ENTRY))
		return;
	bpf_find_vma(task, first, remember_file, &mapped, 0);
	if (!mapped.file)
		return;
	judge_mapping(owner, mapped.file, mapped_flags(mapped.file, home));
}

PQ_INLINE void read_script_arguments(struct pq_script *script, struct task_struct *task)
{
	unsigned long at = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);

	for (int i = 0; i < SCRIPT_NAMES && at < end; i++) {
		long size = bpf_probe_read_user_str(script->names[i], PQ_FILENAME_BYTES, (void *)at);

		if (size <= 0)
			break;
		at += size;
	}
}

PQ_INLINE void expect_script(struct task_struct *task, struct linux_binprm *bprm)
{
	struct pq_script *script = bpf_task_storage_get(&pq_scripts, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!script)
		return;
	__builtin_memset(script, 0, sizeof(*script));
	read_script_arguments(script, task);
	bpf_probe_read_kernel_str(script->names[0], PQ_FILENAME_BYTES, bprm->filename);
	bpf_probe_read_kernel_str(script->interpreter, PQ_INTERPRETER_BYTES, bprm->interp);
}

PQ_INLINE void tell_execution(const struct pq_owner *owner, struct linux_binprm *bprm, __u32 flags)
{
	struct pq_exec_event *event = begin_event(owner->cgroup, flags);

	if (!event)
		return;
	bpf_probe_read_kernel_str(event->filename, PQ_FILENAME_BYTES, bprm->filename);
	if (flags & FILE_SCRIPT)
		bpf_probe_read_kernel_str(event->interpreter, PQ_INTERPRETER_BYTES, bprm->interp);
	bpf_ringbuf_submit(event, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	bool drift, script = bprm->filename != bprm->interp;
	struct pq_owner owner = {};
	struct pq_home *home;
	__u32 flags;

	if (!find_current_owner(&owner) || is_being_prepared(task, owner.cgroup))
		return 0;
	home = find_or_note_home(task, owner.cgroup);
	if (!home)
		return 0;
	flags = file_flags(bprm->file, home);
	drift = is_drift(flags, &owner.slot);
	if (drift)
		flags |= stop(&owner);
	if (script) {
		flags |= FILE_SCRIPT;
		expect_script(task, bprm);
	}
	if (drift || (is_worth_telling(owner.cgroup, task, bprm->filename) && has_room()))
		tell_execution(&owner, bprm, flags);
	judge_dynamic_loader(&owner, home, task);
	return 0;
}

PQ_INLINE bool makes_executable(unsigned long protection)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return protection & PROT_EXEC ||
	       (protection & PROT_READ && BPF_CORE_READ(task, personality) & READ_IMPLIES_EXEC);
}

SEC("tp/syscalls/sys_enter_mmap")
int map_executable(struct trace_event_raw_sys_enter *ctx)
{
	volatile unsigned long protection = ctx->args[2], mapping = ctx->args[3], fd = ctx->args[4];
	struct pq_owner owner = {};
	struct pq_home *home;
	struct file *file;

	if (mapping & MAP_ANONYMOUS)
		return 0;
	if (!makes_executable(protection) || !find_current_owner(&owner))
		return 0;
	file = file_of(fd);
	home = find_home(owner.cgroup);
	if (file && home)
		judge_mapping(&owner, file, file_flags(file, home));
	return 0;
}

struct pq_range {
	struct pq_owner owner;
	struct pq_home *home;
	unsigned long at;
	unsigned long end;
};

static long judge_next_mapping(__u32 index, struct pq_range *range)
{
	struct pq_mapped mapped = {};

	if (range->at >= range->end || bpf_find_vma(bpf_get_current_task_btf(), range->at, remember_file, &mapped, 0))
		return 1;
	if (mapped.file)
		judge_mapping(&range->owner, mapped.file, mapped_flags(mapped.file, range->home));
	range->at = mapped.end;
	return 0;
}

/* musl's loader makes a whole library executable afterwards when the library asks for it (DT_TEXTREL). */
PQ_INLINE int judge_range(unsigned long start, unsigned long size, unsigned long protection)
{
	struct pq_range range = {.at = start, .end = start + size};

	if (!makes_executable(protection) || !find_current_owner(&range.owner))
		return 0;
	range.home = find_home(range.owner.cgroup);
	if (range.home)
		bpf_loop(MAX_MAPPINGS, judge_next_mapping, &range, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_mprotect")
int make_executable(struct trace_event_raw_sys_enter *ctx)
{
	return judge_range(ctx->args[0], ctx->args[1], ctx->args[2]);
}

SEC("tp/syscalls/sys_enter_pkey_mprotect")
int make_executable_by_key(struct trace_event_raw_sys_enter *ctx)
{
	return judge_range(ctx->args[0], ctx->args[1], ctx->args[2]);
}

PQ_INLINE struct pq_script *expected_script(void)
{
	return bpf_task_storage_get(&pq_scripts, bpf_get_current_task_btf(), 0, 0);
}

PQ_INLINE bool is_same_name(const char *one, const char *other)
{
	__u64 difference = 0;

	for (int i = 0; i < PQ_FILENAME_BYTES / 8; i++)
		difference |= ((const __u64 *)one)[i] ^ ((const __u64 *)other)[i];
	return !difference;
}

/* Interpreters are told a script by the path that execve got, and open it by that path. */
PQ_INLINE int begin_open(const char *path)
{
	struct pq_script *script = expected_script();
	char name[PQ_FILENAME_BYTES];

	if (!script)
		return 0;
	__builtin_memset(name, 0, sizeof(name));
	bpf_probe_read_user_str(name, sizeof(name), path);
	script->opening = false;
	for (int i = 0; i < SCRIPT_NAMES; i++)
		script->opening |= is_same_name(name, script->names[i]);
	return 0;
}

PQ_INLINE void judge_script(const struct pq_owner *owner, const struct pq_script *script, __u32 flags)
{
	struct pq_exec_event *event;

	if (!is_drift(flags, &owner->slot))
		return;
	event = begin_event(owner->cgroup, flags | FILE_SCRIPT | stop(owner));
	if (!event)
		return;
	__builtin_memcpy(event->filename, script->names[0], PQ_FILENAME_BYTES);
	__builtin_memcpy(event->interpreter, script->interpreter, PQ_INTERPRETER_BYTES);
	bpf_ringbuf_submit(event, 0);
}

PQ_INLINE int end_open(long fd)
{
	struct pq_script *script = expected_script();
	struct pq_owner owner = {};
	struct pq_home *home;
	struct file *file;

	if (!script || !script->opening)
		return 0;
	script->opening = false;
	if (fd < 0 || !find_current_owner(&owner))
		return 0;
	file = file_of(fd);
	home = find_home(owner.cgroup);
	if (file && home)
		judge_script(&owner, script, file_flags(file, home));
	bpf_task_storage_delete(&pq_scripts, bpf_get_current_task_btf());
	return 0;
}

SEC("tp/syscalls/sys_enter_open")
int begin_open_path(struct trace_event_raw_sys_enter *ctx)
{
	return begin_open((const char *)ctx->args[0]);
}

SEC("tp/syscalls/sys_enter_openat")
int begin_open_at(struct trace_event_raw_sys_enter *ctx)
{
	return begin_open((const char *)ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_open")
int end_open_path(struct trace_event_raw_sys_exit *ctx)
{
	return end_open(ctx->ret);
}

SEC("tp/syscalls/sys_exit_openat")
int end_open_at(struct trace_event_raw_sys_exit *ctx)
{
	return end_open(ctx->ret);
}
