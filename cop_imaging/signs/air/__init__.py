"""Air spaces in the lung: cells, tubes, bronchi and pockets of gas."""
