import Model

/// Which system calls a container may make: a list of what is allowed, in the manner of the common container engines
/// (the names follow the profile of the `containers-common` package), cut down for processes without capabilities.
///
/// An allow list is chosen because the kernel gains calls with every version, and each one that a list of denials does not
/// know yet would be open. Calls that are not named answer "not implemented", so that C libraries fall back to older ones;
/// that covers `clone3`, whose flags a filter cannot read. Calls that make namespaces or mounts, or touch keys, modules and
/// clocks, answer "not permitted", as they would to any process without capabilities. Only the machine's own instruction
/// set is let in, not its 32-bit variant.
enum SeccompProfile {
    /// The member `linux.seccomp` of an OCI configuration (runtime-spec, config-linux.md).
    static let json: JSONValue = {
        var rules: [JSONValue] = [
            rule(words(allowed), "SCMP_ACT_ALLOW"),
            rule(words(refused), "SCMP_ACT_ERRNO", error: 1),
            // clone without any flag that makes a namespace (CLONE_NEWNS and the other six, linux/sched.h).
            rule(["clone"], "SCMP_ACT_ALLOW", argument: (0x7E02_0000, 0, "SCMP_CMP_MASKED_EQ")),
        ]
        // The personalities PER_LINUX, PER_LINUX32, with UNAME26, and the question which one is set.
        for value in [0, 8, 0x20000, 0x20008, 0xFFFF_FFFF] as [Int64] {
            rules.append(rule(["personality"], "SCMP_ACT_ALLOW", argument: (value, 0, "SCMP_CMP_EQ")))
        }
        // Sockets of every family but AF_VSOCK, which leads to the hypervisor.
        rules.append(rule(["socket"], "SCMP_ACT_ALLOW", argument: (40, 0, "SCMP_CMP_NE")))
        return .object(
            JSONObject([
                ("defaultAction", .string("SCMP_ACT_ERRNO")), ("defaultErrnoRet", .integer(38)),
                ("architectures", .strings([architecture])), ("syscalls", .array(rules)),
            ]))
    }()

    #if arch(arm64)
    private static let architecture = "SCMP_ARCH_AARCH64"
    #else
    private static let architecture = "SCMP_ARCH_X86_64"
    #endif

    private static func rule(
        _ names: [String],
        _ action: String,
        error: Int? = nil,
        argument: (value: Int64, second: Int64, comparison: String)? = nil
    ) -> JSONValue {
        var members: [(String, JSONValue)] = [("names", .strings(names)), ("action", .string(action))]
        if let error { members.append(("errnoRet", .integer(error))) }
        if let argument {
            members.append(
                (
                    "args",
                    .array([
                        .object(
                            JSONObject([
                                ("index", .integer(0)), ("value", .integer(argument.value)),
                                ("valueTwo", .integer(argument.second)), ("op", .string(argument.comparison)),
                            ]))
                    ])
                ))
        }
        return .object(JSONObject(members))
    }

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private static let allowed = """
        accept accept4 access adjtimex alarm arch_prctl bind brk capget capset chdir chmod chown
        clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
        clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
        fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchown fchownat fcntl fcntl64 fdatasync
        fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64
        fsync ftruncate ftruncate64 futex futex_time64 futex_waitv futimesat get_mempolicy get_robust_list
        get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer
        getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit
        getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch
        inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_setup io_submit
        ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
        lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64
        madvise mbind membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
        mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
        mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock
        munlockall munmap nanosleep newfstatat open openat openat2 pause pidfd_getfd pidfd_open
        pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl
        pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6
        pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom
        recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat renameat2
        restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
        rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
        sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
        sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64
        sendfile sendfile64 sendmmsg sendmsg sendto set_mempolicy set_robust_list set_thread_area
        set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid
        setresuid setreuid setrlimit setsid setsockopt setuid setxattr shmat shmctl shmdt shmget shutdown
        sigaltstack signalfd signalfd4 socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat
        sync sync_file_range syncfs sysinfo syslog tee tgkill time timer_create timer_delete
        timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
        timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64
        umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork wait4 waitid write writev
        """

    private static let refused = """
        acct add_key bpf chroot clock_settime clock_settime64 delete_module fanotify_init finit_module
        fsconfig fsmount fsopen fspick init_module io_pgetevents ioperm iopl kcmp kexec_file_load kexec_load
        keyctl lookup_dcookie migrate_pages mount mount_setattr move_mount move_pages name_to_handle_at
        nfsservctl open_by_handle_at open_tree perf_event_open pivot_root process_madvise query_module
        quotactl reboot request_key setdomainname sethostname setns settimeofday swapoff swapon sysfs
        umount2 unshare uselib userfaultfd ustat vhangup vmsplice
        """
}
