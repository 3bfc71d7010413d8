local lac = require "lac"
local check = require "check"

local T = {}

function T.positions_by_hand()
  local y <close> = lac.positions(4, 16)
  local row = y:totable()[4]
  check.close({table.unpack(row, 1, 8)},
              {.141120, -.989992, .812649, .582754, .295520, .955337, .094726, .995503}, 2e-6)
end

function T.positions_follow_their_formula_at_any_size()
  for _, size in ipairs {{1, 1}, {3, 2}, {20, 7}, {70, 24}} do
    local count, d = size[1], size[2]
    local want = {}
    for t = 0, count - 1 do
      want[t + 1] = {}
      for c = 0, d - 1 do
        local u = t * 10000 ^ (-(c // 2 * 2) / d)
        want[t + 1][c + 1] = c % 2 == 0 and math.sin(u) or math.cos(u)
      end
    end
    local y <close> = lac.positions(count, d)
    check.close(y, want, 1e-5) -- an argument of 70 has five digits behind the point
  end
  local none <close> = lac.positions(0, 8)
  check.equal(none:shape(), {0, 8})
end

local function ratios(a, b)
  local function side(low, high)
    return (a[low] + a[high]) / 2, (b[low] + b[high]) / 2, a[high] - a[low] + 1, b[high] - b[low] + 1
  end
  local ax, bx, aw, bw = side(1, 3)
  local ay, by, ah, bh = side(2, 4)
  return {math.log(math.max(math.abs(ax - bx) / aw, 1e-3)), math.log(math.max(math.abs(ay - by) / ah, 1e-3)),
          math.log(aw / bw), math.log(ah / bh)}
end

local function waves(p)
  local out = {}
  for m = 0, 3 do
    for k = 0, 7 do
      local u = 100 * p[m + 1] * 1000 ^ (-k / 8)
      out[8 * m + k + 1], out[8 * m + k + 33] = math.sin(u), math.cos(u)
    end
  end
  return out
end

local BOXES = {{{0, 0, 0.5, 1}, {0.25, 0.25, 0.75, 0.5}, {0.125, 0, 1, 1}},
               {{0, 0, 0, 0}, {0.5, 0.5, 0.625, 1}, {3, 4, 80, 200}}}

local function pairs_of(boxes, make)
  local out = {}
  for n, set in ipairs(boxes) do
    out[n] = {}
    for i, a in ipairs(set) do
      out[n][i] = {}
      for j, b in ipairs(set) do out[n][i][j] = make(ratios(a, b)) end
    end
  end
  return out
end

function T.box_embeddings_follow_their_formula()
  local scope <close> = lac.scope()
  local boxes = lac.tensor(BOXES)
  check.close(lac.box_embedding(boxes, {trigonometric = false}), pairs_of(BOXES, function(p) return p end), 2e-6)
  check.close(lac.box_embedding(boxes), pairs_of(BOXES, waves), 1e-3) -- arguments of up to 700
  check.equal(lac.box_embedding(boxes:slice(2, 1, 2)):shape(), {2, 2, 2, 64})
  check.equal(lac.box_embedding(lac.tensor(BOXES[1])):shape(), {3, 3, 64})
  check.equal(lac.box_embedding(lac.zeros {2, 0, 4}):shape(), {2, 0, 0, 64})
  check.equal(lac.box_embedding(lac.zeros {0, 3, 4}):shape(), {0, 3, 3, 64})
end

function T.box_embeddings_of_a_real_image_agree_with_the_published_implementation()
  local file <close> = lac.hdf5.open(check.shared("golden/box_embedding_coco.h5"))
  local scope <close> = lac.scope()
  local boxes = file:read "boxes"
  check.close(lac.box_embedding(boxes, {trigonometric = false}), file:read("log_ratios"):totable(), 1e-4)
  check.close(lac.box_embedding(boxes), file:read("embedding"):totable(), 1e-3) -- the README's tolerance
end

function T.boxes_of_no_extent_give_nan_and_no_more()
  local scope <close> = lac.scope()
  local y = lac.box_embedding(lac.tensor {{0, 0, 1, 1}, {3, 0, 1, 1}}):totable()
  check.yes(y[1][2][17] ~= y[1][2][17])
  for _, v in ipairs(y[1][1]) do check.yes(v == v) end
end

function T.boxes_that_are_none_are_refused()
  local scope <close> = lac.scope()
  check.fails("boxes must be %[.., boxes, 4%] of 2 to 5 dimensions, got %[3, 5%]", lac.box_embedding, lac.zeros {3, 5})
  check.fails("boxes must be", lac.box_embedding, lac.zeros {4})
  check.fails("boxes must be", lac.box_embedding, lac.zeros {1, 1, 1, 1, 1, 4})
  check.fails("boxes must be f32, got i32", lac.box_embedding, lac.zeros({3, 4}, "i32"))
end

return T
