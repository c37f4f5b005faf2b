/* The public headers and the shared library as a C11 program uses them. */
#include "halfstep/scaler.h"
#include "halfstep/types.h"
#include "halfstep/version.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void check(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "failed: %s\n", what);
    ++failures;
  }
}

int main(void) {
  hs_config config = HS_CONFIG_INIT;
  hs_step_result result = HS_STEP_RESULT_INIT;
  hs_param_info info = HS_PARAM_INFO_INIT;
  hs_scaler_config scaler_config = HS_SCALER_CONFIG_INIT;
  check(config.struct_size == sizeof config && result.struct_size == sizeof result,
        "INIT macros set struct_size");
  check(info.struct_size == sizeof info && config.error == NULL, "INIT macros leave the rest zero");
  check(hs_abi() > 0 && strchr(hs_version(), '.') != NULL, "version and ABI number");

  hs_scaler *scaler = NULL;
  float scale = 0, gradients[] = {512.0f, 1024.0f};
  int found_inf = 0;
  scaler_config.init = 1024.0f;
  check(hs_scaler_create(&scaler_config, &scaler) == HS_OK, "a scaler can be made");
  check(hs_scaler_scale(scaler, &scale) == HS_OK && scale == 1024.0f, "it has the scale asked for");
  check(hs_unscale(HS_F32, gradients, gradients, 2, scale, &found_inf) == HS_OK, "gradients can be unscaled");
  check(gradients[0] == 0.5f && gradients[1] == 1.0f && !found_inf, "to the right values");
  check(hs_scaler_update(scaler, 1) == HS_OK && hs_scaler_scale(scaler, &scale) == HS_OK && scale == 512.0f,
        "an overflow halves the scale");
  hs_scaler_destroy(scaler);

  int32_t left = 0;
  scaler_config.hysteresis = 2;
  check(hs_scaler_create(&scaler_config, &scaler) == HS_OK, "a scaler with hysteresis can be made");
  check(hs_scaler_update(scaler, 1) == HS_OK && hs_scaler_scale(scaler, &scale) == HS_OK && scale == 1024.0f,
        "its first overflow leaves the scale");
  check(hs_scaler_get_hysteresis(scaler, &left) == HS_OK && left == 1, "but counts");
  check(hs_scaler_update(scaler, 1) == HS_OK && hs_scaler_scale(scaler, &scale) == HS_OK && scale == 512.0f,
        "its second halves it");
  hs_scaler_destroy(scaler);
  return failures != 0;
}
