-- Larger than the yardstick, and held back by more dropout.
return {
  base = "ucm/updown",
  model = {embed = 128, hidden = 256, attention = 128, dropout = 0.3},
}
