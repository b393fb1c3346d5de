"""What an inmate is told to try: Python code for :meth:`testbed.cell.Inmate.try_to`."""

from testbed.cell import FOE4, HERE6, PORT


def family(address: str) -> str:
    return "socket.AF_INET6" if ":" in address else "socket.AF_INET"


def connect(address: str, port: int = PORT) -> str:
    return f"s = socket.socket({family(address)}); s.settimeout(5); s.connect(({address!r}, {port}))"


def datagram(address: str, port: int = PORT) -> str:
    return f"u = socket.socket({family(address)}, socket.SOCK_DGRAM); u.sendto(b'x', ({address!r}, {port}))"


PING4 = "r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); r.sendto(bytes([8,0,0xf7,0xff,0,0,0,0]), (to, 0))"
PING6 = "r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); r.sendto(bytes([128,0,0,0,0,0,0,0]), (to, 0))"
IPV4 = (
    "def ipv4(protocol, to, body, options=b'', offset=0, source='0.0.0.0'):\n"
    "    words = 5 + len(options) // 4\n"
    "    return struct.pack('>BBHHHBBH4s4s', 64 + words, 0, 0, 0, offset, 64, protocol, 0,"
    " socket.inet_aton(source), socket.inet_aton(to)) + options + body\n"
    "r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)\n"
)
ACK = "ack = struct.pack('>HHIIBBHHH', 1234, 8080, 1, 1, 80, 16, 100, 0, 0)\n"
UDP = "struct.pack('>HHHH', 1234, 8080, 12, 0) + b'evil'"
IPV6 = (
    "def ipv6(next, to, body):\n"
    "    return struct.pack('>IHBB16s16s', 0x60000000, len(body), next, 64,"
    f" socket.inet_pton(10, {HERE6!r}), socket.inet_pton(10, to)) + body\n"
    "r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 255); r.setsockopt(41, 36, 1)\n"
    "udp = struct.pack('>HHHH', 1234, 8080, 12, 0) + b'evil'\n"
)
URING_CONNECT = f"""
libc = ctypes.CDLL(None, use_errno=True)
parameters = (ctypes.c_uint32 * 30)()
ring = libc.syscall(425, 4, parameters)
import mmap
sq_off, cq_off = list(parameters)[10:20], list(parameters)[20:30]
sq = mmap.mmap(ring, 4096, offset=0)
entries = mmap.mmap(ring, 4096, offset=0x10000000)
s = socket.socket(); address = struct.pack('=HH4s8x', 2, socket.htons(8080), socket.inet_aton({FOE4!r}))
buffer = ctypes.create_string_buffer(address, 16)
struct.pack_into('=BBHiQQ', entries, 0, 16, 0, 0, s.fileno(), 16, ctypes.addressof(buffer))
struct.pack_into('=I', sq, sq_off[6], 0)
struct.pack_into('=I', sq, sq_off[1], 1)
libc.syscall(426, ring, 1, 1, 1, None, 0)
value = struct.unpack_from('=Qi', sq, cq_off[5])[1]
"""
