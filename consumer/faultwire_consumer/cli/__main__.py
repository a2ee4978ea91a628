"""``python -m faultwire_consumer.cli``, where the script is not on the path."""

from faultwire_consumer.cli import main

main()
