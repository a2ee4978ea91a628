"""The operators' page: plain HTML and forms, with its templates and its style sheet."""
