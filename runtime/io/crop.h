/**
 * From the rows of a picture to the square of numbers that a network looks at: turn it upright,
 * resize it, cut a square out, flip it, scale to 0..1. All in one pass over the rows, in memory for
 * two of them.
 */
#ifndef LAC_IO_CROP_H
#define LAC_IO_CROP_H

#include "io/picture.h"

#include <stdbool.h>

/**
 * Where an output position d samples the input, with scale = input size / output size: at
 * (d + 0.5) * scale - 0.5, or at d * scale, as TensorFlow did before version 2 and as the published
 * Soft-Attention encoders were trained.
 */
typedef enum lac_grid { LAC_GRID_HALF_PIXEL, LAC_GRID_LEGACY } lac_grid;

typedef struct lac_crop_plan {
  uint32_t size;   /* side of the square that is cut out */
  uint32_t resize; /* sides of the resized picture, >= size; with keep_aspect its shorter side */
  lac_grid grid;
  bool keep_aspect; /* the longer side is then floor(resize * longer / shorter) */
} lac_crop_plan;

/** Most pixels of a side after resizing. */
enum { LAC_CROP_MAX = 8192 };

/** Where the square lies in the room that there is: 0 left (top) to 1 right (bottom). */
typedef struct lac_crop_place {
  double x, y; /* round down(x * (room + 1)), at most room; LAC_CROP_CENTRE: down(room / 2) */
  bool flip;   /* left and right exchanged, after cutting */
} lac_crop_place;

#define LAC_CROP_CENTRE (-1.0)

/** LAC_OK; LAC_EINVAL with what is wrong with the plan. */
lac_status lac_crop_check(const lac_crop_plan *plan);

/**
 * Read a picture file into [size, size, 3] numbers from 0 to 1.
 *
 * Bilinear: each number is interpolated between the (at most) four pixels around its place, clamped
 * to the picture, also where the picture shrinks a lot. There is no smoothing before
 * (no anti-aliasing): as in the reference program, most pixels of a large photo play no part.
 * Interpolation is in float32 on values 0 to 255, along rows first, and then times 1/255.
 *
 * @param plan  passed lac_crop_check()
 * @return as lac_picture_read(); `out` may have been written to in part
 */
lac_status lac_crop_read(float *out, const char *path, const lac_crop_plan *plan,
                         const lac_crop_place *place);

#endif
