"""Links that lead out: to a line of source, to an issue in a tracker."""
