-- The same, pruned to 97.5 % while it trains, as in the paper: less dropout, one draw of masks per step, TensorFlow's
-- form of Adam for the logits and no limit of their gradients. The weight on sparsity is max(5, 0.5 / (1 - target)).
-- The paper's other methods differ in prune alone: {method = "gradual", threshold = "histogram"}, and with
-- start = RUN, the folder of the dense run, magnitude (stages.1.steps=177108) and lottery, thresholds likewise;
-- {method = "snip"}.
return {
  base = "coco/softattention",
  model = {dropout = 0.11, attention_dropout = 0.03},
  prune = {method = "supermask", target = 0.975, init = 5, lr = 100, clip_value = 0, draw = "forward",
           form = "tensorflow"},
}
