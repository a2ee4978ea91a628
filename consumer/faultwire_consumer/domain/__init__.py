"""Pure decisions: no I/O, no clock, no asyncio; values with reasons go in and out."""
