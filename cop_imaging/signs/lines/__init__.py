"""Fine lines and sheets, as several signs share them."""
