"""Message numbers between the stand-in modules and the supervisor. Imported by MicroPython and by CPython.

A message is a 16-byte header `<BBHIQ` (operation, 1 if a reply is wanted, sequence, payload length, board time in
microseconds) and a payload. A reply is `<BBHI` (status, 0, sequence, payload length) and a payload. Status 0 is
success; anything else is the errno the node sees. Sequence numbers count up; a message whose number was seen before is
one sent twice and is ignored.
"""

REQUEST = "<BBHIQ"
REQUEST_BYTES = 16
REPLY = "<BBHI"
REPLY_BYTES = 8

# Life of the process
HELLO = 1  # -> JSON: what the node is, where its flash is, why it starts
RUN = 2  # boot.py is about to run: input is let through from here on
REPL = 3  # the boot files are done, the REPL comes next
TIME = 4  # nothing but the time in the header
RAW_OUTPUT = 5  # bytes for the console that must not get CR before LF
RESET = 6  # machine.reset(): never answered
DEEPSLEEP = 7  # <Q milliseconds, 0 for ever: never answered
BITE = 8  # the watchdog's time is up: never answered
POWER_CUT = 9  # die here, as if the battery had been pulled: never answered
WDT_ARM = 10  # <I timeout in milliseconds
WDT_FEED = 11
RTC_MEMORY = 12  # bytes to keep over deep sleep
RTC_TIME = 13  # <q seconds to add to uptime to get the time since 2000
SOFT_RESET = 15  # a boot file raised SystemExit: never answered
MARK = 16  # bytes to send back as they are: where the node takes up reading after a broken-off exchange
FLASH_OP = 14  # <BIII 0 erase or 1 program, offset, length, bytes programmed over a zero

# Peripherals
PIN_SET = 20  # <BB pin, level
PIN_GET = 21  # <B pin -> one byte
SPI_INIT = 22  # <BIBBBBB bus, baud, polarity, phase, sck, mosi, miso
SPI_WRITE = 23  # <B bus, then bytes
SPI_READ = 24  # <BBI bus, fill, count -> bytes
SPI_DUPLEX = 25  # <B bus, then bytes -> as many bytes
I2C_INIT = 26  # <BIBB bus, frequency, scl, sda
I2C_TRANSFER = 27  # <BBBH bus, address, stop, count to read, then bytes to write -> bytes read
ADC_READ = 28  # <B pin -> <I microvolts at the pin
OW_RESET = 32  # <B pin -> one byte, 1 when somebody answered
OW_READ = 33  # <BB pin, bits -> one byte
OW_WRITE = 34  # <BBB pin, bits, value
UART_INIT = 40  # <BIBBH uart, baud, tx, rx, bytes of its receive buffer
UART_WRITE = 41  # <B uart, then bytes
UART_READ = 42  # <BH uart, bytes at most -> bytes
UART_ANY = 43  # <B uart -> <H bytes to read
NET_CONNECT = 29  # <B length of the name, name, password
NET_DISCONNECT = 30
NET_STATUS = 31  # -> <H station status
