-- Soft-Attention on generated scenes of shapes, small: a quick look. model.cell=lstm for the other cell.
return {
  base = "shapes/updown",
  model = {name = "softattention", cell = "gru", embed = 64, hidden = 224, attention = 64, dropout = 0,
           attention_dropout = 0},
}
