/* The check of TensorBoard's records. The files themselves: tests/io/test_tfevents.lua. */
#include "check.h"

#include "io/tfevents.h"

static void crc32c_agrees_with_rfc_3720(void) {
  unsigned char bytes[32];
  memset(bytes, 0, sizeof bytes);
  CHECK(lac_crc32c(bytes, 32) == 0x8a9136aa);
  memset(bytes, 0xff, sizeof bytes);
  CHECK(lac_crc32c(bytes, 32) == 0x62a8ab43);
  for (int i = 0; i < 32; i++)
    bytes[i] = (unsigned char)i;
  CHECK(lac_crc32c(bytes, 32) == 0x46dd794e);
  for (int i = 0; i < 32; i++)
    bytes[i] = (unsigned char)(31 - i);
  CHECK(lac_crc32c(bytes, 32) == 0x113fdb5c);
  CHECK(lac_crc32c("123456789", 9) == 0xe3069283);
  CHECK(lac_crc32c("", 0) == 0);
}

int main(void) {
  RUN(crc32c_agrees_with_rfc_3720);
  return check_finish();
}
