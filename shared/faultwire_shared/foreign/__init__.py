"""Values and exceptions that a host hands over, read without running what they bring along."""
