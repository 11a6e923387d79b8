"""Prints free TCP ports of 127.0.0.1, one a line, below the kernel's range for outgoing connections."""
import random
import socket
import sys


def free_ports(count):
    held, ports = [], []
    while len(ports) < count:
        port = random.randint(15000, 32000)
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
            continue
        held.append(probe)
        if port not in ports:
            ports.append(port)
    for probe in held:
        probe.close()
    return ports


if __name__ == "__main__":
    print("\n".join(str(port) for port in free_ports(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))
