/**
 * The kernel sources of cl/, embedded by cl/embed.cmake.
 */
#ifndef LAC_DEVICE_SOURCES_H
#define LAC_DEVICE_SOURCES_H

typedef struct lac_source {
  const char *name; /* the file's stem */
  const char *text;
} lac_source;

/** All sources; the last entry's name is NULL. Defined in the generated sources.c. */
extern const lac_source lac_sources[];

#endif
