"""A notification in words for people: built-in templates, those of receivers, and mails."""
