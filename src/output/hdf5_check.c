/* What NetCDF would believe of a stranger's HDF5 file, looked at before NetCDF opens it.
 *
 * An HDF5 file may lead elsewhere: by soft and external links, by datasets whose bytes
 * lie in other files, by virtual ones. NetCDF follows all of them, so that to show such a
 * file would read whatever its maker has named. And it copies names of any length to
 * where its manual says that NC_MAX_NAME bytes are enough. HDF5 1.10
 * in turn trips over fill values of types without a fixed size. A result has nothing of
 * that. */
#define H5_USE_110_API
#include <hdf5.h>

#include "netcdf_access.h"

#include <string.h> /* strlen */

typedef struct inspection {
    const char *path; /* borrowed */
    lmd_status status;
} inspection;

/* The answer of a callback: goes on, or ends the walk. */
enum { GO_ON = 0, END = 1 };

static int refuse(inspection *it, const char *name, const char *why)
{
    it->status = lmd_status_set(LMD_INPUT, "%s: '%.100s' %s", it->path, name, why);
    return END;
}

static bool is_too_long(const char *name)
{
    return strlen(name) > NC_MAX_NAME;
}

static herr_t look_at_attribute(hid_t object, const char *name, const H5A_info_t *info,
                                void *context)
{
    (void)object;
    (void)info;
    return is_too_long(name) ? refuse(context, name, "is longer than a name may be")
                             : GO_ON;
}

/* Whole numbers, real ones and characters. */
static bool is_plain(hid_t dataset)
{
    const hid_t type = H5Dget_type(dataset);
    if (type < 0) {
        return false;
    }
    const H5T_class_t kind = H5Tget_class(type);
    const bool is = kind == H5T_INTEGER || kind == H5T_FLOAT ||
                    (kind == H5T_STRING && H5Tis_variable_str(type) == 0);
    (void)H5Tclose(type);
    return is;
}

static int look_at_dataset(inspection *it, hid_t dataset, const char *name)
{
    if (!is_plain(dataset)) {
        return refuse(it, name, "has values of a type that no result has");
    }
    const hid_t properties = H5Dget_create_plist(dataset);
    if (properties < 0) {
        return refuse(it, name, "is damaged");
    }
    const bool is_elsewhere = H5Pget_layout(properties) == H5D_VIRTUAL ||
                              H5Pget_external_count(properties) != 0;
    (void)H5Pclose(properties);
    return is_elsewhere ? refuse(it, name, "has its values in other files") : GO_ON;
}

static int look_at_object(inspection *it, hid_t object, const char *name)
{
    hsize_t start = 0;
    if (H5Iget_type(object) == H5I_DATASET &&
        look_at_dataset(it, object, name) != GO_ON) {
        return END;
    }
    const herr_t result =
        H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &start, look_at_attribute, it);
    return result < 0 ? refuse(it, name, "is damaged") : result;
}

/* `name` is the way to the object from the root. */
static herr_t look_at_link(hid_t root, const char *name, const H5L_info_t *info,
                           void *context)
{
    inspection *const it = context;
    const char *const slash = strrchr(name, '/');
    if (is_too_long(slash ? slash + 1 : name)) {
        return refuse(it, name, "is longer than a name may be");
    }
    if (info->type != H5L_TYPE_HARD) {
        return refuse(it, name, "leads elsewhere, which nothing in a result does");
    }
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (object < 0) {
        return refuse(it, name, "is damaged");
    }
    const int result = look_at_object(it, object, name);
    (void)H5Oclose(object);
    return result;
}

static void inspect(inspection *it, hid_t file)
{
    const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0) {
        (void)refuse(it, "/", "is damaged");
        return;
    }
    if (look_at_object(it, root, "/") == GO_ON &&
        H5Lvisit(root, H5_INDEX_NAME, H5_ITER_NATIVE, look_at_link, it) < 0) {
        (void)refuse(it, "/", "is damaged");
    }
    (void)H5Gclose(root);
}

lmd_status lmd_netcdf_inspect(const char *path)
{
    inspection it = {.path = path};
    /* What is wrong is said in our words, not by HDF5 on standard error. */
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) {
        return lmd_netcdf_check(NC_EHDFERR, LMD_INPUT, path, "can't open");
    }
    inspect(&it, file);
    (void)H5Fclose(file);
    return it.status;
}
