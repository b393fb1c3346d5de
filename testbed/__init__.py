"""The test bed: throw-away engines, images, an outside world and an attacker, all real, all on this machine.

In: what the machine has (``dockerd``, ``busybox``, ``gcc``). Out: a Docker Engine that is nobody's, namespaces that
play the world, the attack's steps, the demo. Never: touches the user's engine, sends a packet to an address that is
not loopback or its own, leaves a process, mount, cgroup or file behind.
"""
