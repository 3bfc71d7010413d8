local lac = require "lac"
local check = require "check"

local T = {}

-- Rows, columns, widths of column ranges: quarters that end in the middle of a row, of a word, of everything.
local SHAPES = {
  {1, 1, {1}}, {1, 3, {3}}, {3, 5, {2, 3}}, {7, 9, {9}}, {40, 50, {17, 33}}, {33, 97, {32, 32, 33}},
  {130, 201, {100, 101}},
}

local function need_masked_products(w, logit)
  local masked = lac.masked {w = w, logit = logit}
  if not masked then check.skip("products on this device take no masks") end
  masked:close()
end

local function random_matrix(seed, rows, columns, spread)
  return lac.rng(seed):normal({rows, columns}, 0, spread or 1)
end

local function eye(n)
  local rows = {}
  for i = 1, n do
    rows[i] = {}
    for j = 1, n do rows[i][j] = i == j and 1 or 0 end
  end
  return lac.tensor(rows)
end

function T.draws_are_those_of_mask()
  for _, shape in ipairs(SHAPES) do
    local scope <close> = lac.scope()
    local rows, columns, cuts = table.unpack(shape)
    local w, logit = random_matrix(1, rows, columns), random_matrix(2, rows, columns, 2)
    need_masked_products(w, logit)
    local masked <close> = lac.masked {w = w, logit = logit, cuts = cuts}
    local noise = lac.rng(9):uniform {rows, columns}
    local g, h = lac.rng(5, 6), lac.rng(5, 6)
    for _, from in ipairs {{rng = g}, {rng = g}, {noise = noise}} do
      local want = lac.mask {w = w, logit = logit, rng = from.rng and h, noise = from.noise}
      local start = 1
      for i, drawn in ipairs {masked:draw(from)} do
        local got = eye(cuts[i]):linear(drawn) -- its weights, turned
        check.close(got:transpose():clone(), want:slice(2, start, cuts[i]):clone(), 0)
        start = start + cuts[i]
        drawn:close()
      end
      check.equal(g:state(), h:state())
    end
  end
end

-- Gradients of three draws of a weight whose two ranges meet different inputs.
local function gradients(options, draw)
  local rng = lac.rng(options.seed)
  local w <close> = rng:normal({45, 50}):requires_grad(options.w ~= false)
  local logit <close> = rng:normal({45, 50}, 0, 2):requires_grad(options.logit ~= false)
  local x <close> = rng:normal({6, 17}):requires_grad(true)
  local z <close> = rng:normal({2, 33}):requires_grad(true)
  local upstream <close> = rng:normal {6, 45}
  local grads = {}
  for _ = 1, 2 do -- the second time adds
    local tape <close> = lac.tape()
    local total = options.count and logit:mask_count():scale(0.5)
    do
      local draws <close> = draw(w, logit)
      for i = 1, options.draws or 3 do
        local a, b = draws()
        local rows = 6 - 2 * (i % 3) -- fewer where captions have ended
        local y = lac.linear {x:slice(1, 1, rows), a, add = z:linear(b):repeat_rows(rows // 2)}
        local part = (y:tanh() * upstream:slice(1, 1, rows)):sum()
        total = total and total + part or part
      end
    end
    tape:backward(total)
  end
  for name, tensor in pairs {w = w, logit = logit, x = x, z = z} do
    local grad <close> = tensor:grad()
    grads[name] = grad and grad:totable()
  end
  return grads
end

local function drawing(options, make)
  return function(w, logit)
    local rng = lac.rng(7)
    return setmetatable({}, make(w, logit, rng, options.bypass))
  end
end

local function by_mask(w, logit, rng, bypass)
  return {
    __call = function()
      local y = lac.mask {w = w, logit = logit, rng = rng, bypass = bypass}
      return y:slice(2, 1, 17), y:slice(2, 18, 33)
    end,
    __close = function() end,
  }
end

local function by_draw(w, logit, rng, bypass)
  local masked, all = lac.masked {w = w, logit = logit, bypass = bypass, cuts = {17, 33}}, {}
  return {
    __call = function()
      local a, b = masked:draw {rng = rng}
      table.move({a, b}, 1, 2, #all + 1, all)
      return a, b
    end,
    __close = function() -- backward has what it needs
      for _, weights in ipairs(all) do weights:close() end
      masked:close()
    end,
  }
end

function T.gradients_are_those_of_mask()
  do
    local scope <close> = lac.scope()
    local one = lac.zeros {1, 1}
    need_masked_products(one, one)
  end
  for seed, options in ipairs {{}, {bypass = true}, {count = true}, {w = false}, {logit = false}, {draws = 50}} do
    options.seed = seed
    local want, got = gradients(options, drawing(options, by_mask)), gradients(options, drawing(options, by_draw))
    for name, grad in pairs(want) do
      local good, message = pcall(check.close, got[name], grad, 1e-4, 1e-4)
      check.yes(good, ("case %d, %s: %s"):format(seed, name, tostring(message)))
    end
    check.equal(got.w == nil, options.w == false)
  end
end

function T.a_range_that_no_product_used_gets_no_gradient()
  local scope <close> = lac.scope()
  local w, logit = random_matrix(1, 9, 8):requires_grad(true), random_matrix(2, 9, 8)
  need_masked_products(w, logit)
  do
    local tape <close> = lac.tape()
    local masked <close> = lac.masked {w = w, logit = logit, cuts = {3, 5}}
    local a = masked:draw {rng = lac.rng(1)}
    tape:backward(random_matrix(3, 4, 3):linear(a):square():sum())
  end
  check.equal(w:grad():slice(2, 4, 5):abs():sum():item(), 0)
  check.yes(w:grad():slice(2, 1, 3):abs():sum():item() > 0)
end

-- Rows of a masked table and gradients, one of the rows twice.
local function table_rows(options, take)
  local w <close> = random_matrix(1, 11, 7):requires_grad(true)
  local logit <close> = random_matrix(2, 11, 7, 2):requires_grad(true)
  local noise <close> = lac.rng(3):uniform {11, 7}
  local ids <close> = lac.tensor({{10, 0}, {3, 10}}, "i32")
  local rng = lac.rng(4)
  local tape <close> = lac.tape()
  local y = take(w, logit, ids, not options.noise and rng or nil, options.noise and noise or nil, options.bypass)
  tape:backward(y:square():sum())
  local gw <close> = w:grad()
  local glogit <close> = logit:grad()
  return y:totable(), gw:totable(), glogit:totable(), rng:state()
end

function T.rows_are_those_of_a_masked_table()
  for _, options in ipairs {{}, {bypass = true}, {noise = true}} do
    local want = {table_rows(options, function(w, logit, ids, rng, noise, bypass)
      return lac.embedding(lac.mask {w = w, logit = logit, rng = rng, noise = noise, bypass = bypass}, ids)
    end)}
    local got = {table_rows(options, function(w, logit, ids, rng, noise, bypass)
      return lac.mask_rows {w = w, logit = logit, ids = ids, rng = rng, noise = noise, bypass = bypass}
    end)}
    check.close(got[1], want[1], 0)
    check.close(got[2], want[2], 1e-5)
    check.close(got[3], want[3], 1e-5)
    check.equal(got[4], want[4])
  end
end

function T.ids_out_of_range_give_nan()
  local scope <close> = lac.scope()
  local w = lac.zeros {2, 1}
  local y = lac.mask_rows {w = w, logit = w, ids = lac.tensor({-1, 2, 1}, "i32"), rng = lac.rng(1)}
  check.close(y, {{0 / 0}, {0 / 0}, {0}})
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local w, short, ids = lac.zeros {2, 3}, lac.zeros {2}, lac.zeros({1}, "i32")
  check.fails("mask_rows: give a generator or noise", lac.mask_rows, {w = w, logit = w, ids = ids})
  check.fails("mask_rows: ids must be i32, got f32", lac.mask_rows, {w = w, logit = w, ids = short, rng = lac.rng(1)})
  check.fails("mask_rows: w must be a matrix", lac.mask_rows, {w = short, logit = short, ids = ids, rng = lac.rng(1)})
  need_masked_products(w, w)
  check.fails("masked: logit must be %[2, 3%], got %[2%]", lac.masked, {w = w, logit = short})
  check.fails("masked: 2 ranges of 4 columns together do not cut %[2, 3%]", lac.masked,
              {w = w, logit = w, cuts = {2, 2}})
  check.fails("cuts must be 1 to 3 widths, got 4", lac.masked, {w = w, logit = w, cuts = {1, 1, 1, 0}})
  check.fails("w and logit must be contiguous matrices", lac.masked, {w = short, logit = short})
  local masked = lac.masked {w = w, logit = w}
  check.fails("draw: give a generator or noise", masked.draw, masked, {})
  check.fails("draw: noise must be %[2, 3%], got %[2%]", masked.draw, masked, {noise = short})
  masked:close()
  check.fails("closed masked weights", masked.draw, masked, {rng = lac.rng(1)})
end

return T
