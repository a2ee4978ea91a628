"""Sections beside the incidents: releases, producers, and the health of the worker."""
