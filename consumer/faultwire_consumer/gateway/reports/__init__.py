"""Reports on the gateway to its operators: who sends through it, what was lost, who was refused."""
