"""Waiting until this machine is quiet, before a measurement."""
import time


def settle():
    """Returns when the processes of this machine have been idle for a tenth of a second."""
    def busy():
        with open("/proc/stat") as stat:
            return sum(int(x) for x in stat.readline().split()[1:4])
    for _ in range(50):
        before = busy()
        time.sleep(0.1)
        if busy() - before <= 2:  # ticks of 10 ms
            return
