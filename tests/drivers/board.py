"""A relay board of eight doors by pymodbus: a coil per lock from 100, an input per door from 200, one per thing inside from 300.

    board.py tcp PORT | board.py rtu PATH

Says `ready`, then every coil that is switched (`on 3`, `off 3`) and every look at a door (`look 3`). Hears, a line each:
`stuck N` (its lock does nothing), `open N`, `shut N`, `refuse N` (it is busy), `fail N` (the lock lets go, and the answer is a failure),
`cling N` (busy whenever the lock is to hold again) and `yield N`, and `late MS`: the next look is answered so much later.
"""

import asyncio
import sys

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

DOORS = 8
COILS, INPUTS, INSIDE = 100, 200, 300

opened = [False] * DOORS
items = [False] * DOORS
stuck, refused, failing, clinging = set(), set(), set(), set()
late = 0.0


def say(line):
    print(line, flush=True)


def put(registers, start, at, bit):
    """Sets one bit of a block whose registers begin at `start`."""
    index, mask = at // 16 - start, 1 << (at % 16)
    registers[index] = registers[index] | mask if bit else registers[index] & ~mask


async def action(function_code, start_address, address, count, registers, values):
    global late
    if function_code == 5 and values:
        number = address - COILS + 1
        if number in refused:
            return ExcCodes.DEVICE_BUSY
        on = bool(values[0])
        if not on and number in clinging:
            return ExcCodes.DEVICE_BUSY
        say(f"{'on' if on else 'off'} {number}")
        if on and number not in stuck:
            opened[number - 1] = True
            items[number - 1] = not items[number - 1]
        if on and number in failing:
            return ExcCodes.DEVICE_FAILURE
    if function_code == 2:
        for number in range(1, DOORS + 1):
            put(registers, start_address, INPUTS + number - 1, opened[number - 1])
            put(registers, start_address, INSIDE + number - 1, items[number - 1])
        if address < INSIDE:
            say(f"look {address - INPUTS + 1}")
        pause, late = late, 0.0
        await asyncio.sleep(pause)
    return None


def obey(line):
    global late
    words = line.split()
    if not words:
        return
    number = int(words[1])
    if words[0] == "late":
        late = number / 1000
    elif words[0] in ("open", "shut"):
        opened[number - 1] = words[0] == "open"
    elif words[0] == "stuck":
        stuck.add(number)
    elif words[0] == "refuse":
        refused.add(number)
    elif words[0] == "fail":
        failing.add(number)
    elif words[0] == "cling":
        clinging.add(number)
    elif words[0] == "yield":
        clinging.discard(number)
    say(f"obeys {line.strip()}")


async def main():
    bits = [SimData(0, count=512, values=False, datatype=DataType.BITS)]
    words = [SimData(0, count=1, values=0, datatype=DataType.REGISTERS)]
    device = SimDevice(id=1, simdata=(bits, bits, words, words), action=action)
    if sys.argv[1] == "tcp":
        server = ModbusTcpServer(device, address=("127.0.0.1", int(sys.argv[2])))
    else:
        server = ModbusSerialServer(device, framer=FramerType.RTU, port=sys.argv[2], baudrate=9600)
    await server.serve_forever(background=True)
    say("ready")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        obey(line)


asyncio.run(main())
