"""The contract that every store keeps, and the parts that all stores share."""
