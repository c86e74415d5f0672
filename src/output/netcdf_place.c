/* Where a value stands, for people: "group=wiki, state=3, band=[4,8)".
 *
 * An index gets the name that the file has for it: the bounds of its bin, its
 * coordinate's value, the label beside the dimension (group_name), a word of its
 * coordinate's flag_meanings. Without any of them it stays a number. */
#include "netcdf_access.h"

#include <stdio.h>  /* snprintf */
#include <string.h> /* strcspn */

enum { LABEL = 60 }; /* longest name that is shown */

typedef struct place {
    int ncid;
    const char *path;
    char dim_name[NC_MAX_NAME + 1];
    int dim_id;
    size_t index;
} place;

/* A variable over this dimension, alone or with another one behind it. */
static bool find(const place *p, const char *name, int n_dims, int *id, size_t *width)
{
    int dims[NC_MAX_VAR_DIMS];
    int n = 0;
    return nc_inq_varid(p->ncid, name, id) == NC_NOERR &&
           nc_inq_varndims(p->ncid, *id, &n) == NC_NOERR && n == n_dims &&
           nc_inq_vardimid(p->ncid, *id, dims) == NC_NOERR && dims[0] == p->dim_id &&
           nc_inq_dimlen(p->ncid, dims[n - 1], width) == NC_NOERR;
}

static bool append_label(const place *p, lmd_text *out)
{
    char name[NC_MAX_NAME + 16], label[LABEL + 1] = "";
    int id = 0;
    size_t width = 0;
    nc_type type = NC_NAT;
    (void)snprintf(name, sizeof name, "%s_name", p->dim_name);
    if (!find(p, name, 2, &id, &width) ||
        nc_inq_vartype(p->ncid, id, &type) != NC_NOERR || type != NC_CHAR) {
        return false;
    }
    const size_t start[2] = {p->index, 0};
    const size_t count[2] = {1, width < LABEL ? width : LABEL};
    if (nc_get_vara_text(p->ncid, id, start, count, label) != NC_NOERR) {
        return false;
    }
    lmd_text_append_string(out, label);
    return true;
}

static bool append_word(const place *p, int id, lmd_text *out)
{
    lmd_text words = {0};
    bool found = false;
    const bool is_read = lmd_netcdf_read_text(p->ncid, p->path, id, "flag_meanings",
                                              &words, &found) == LMD_OK;
    const char *word = lmd_text_string(&words);
    for (size_t i = 0; i < p->index && *word; i++) {
        word += strcspn(word, " ");
        word += *word == ' ';
    }
    const size_t length = strcspn(word, " ");
    if (is_read && found && length > 0) {
        lmd_text_append(out, word, length < LABEL ? length : LABEL);
    }
    lmd_text_clear(&words);
    return is_read && found && length > 0;
}

static bool append_bounds(const place *p, int id, lmd_text *out)
{
    lmd_text name = {0};
    bool found = false;
    int bounds = 0;
    size_t width = 0;
    double edges[2];
    const size_t start[2] = {p->index, 0}, count[2] = {1, 2};
    found =
        lmd_netcdf_read_text(p->ncid, p->path, id, "bounds", &name, &found) == LMD_OK &&
        found && find(p, lmd_text_string(&name), 2, &bounds, &width) && width == 2 &&
        nc_get_vara_double(p->ncid, bounds, start, count, edges) == NC_NOERR;
    if (found) {
        lmd_text_append_format(out, "[%.6g,%.6g)", edges[0], edges[1]);
    }
    lmd_text_clear(&name);
    return found;
}

static bool append_value(const place *p, int id, lmd_text *out)
{
    double value = 0;
    if (nc_get_var1_double(p->ncid, id, &p->index, &value) != NC_NOERR) {
        return false;
    }
    lmd_text_append_format(out, "%.10g", value);
    return true;
}

/* A coordinate of numbers says more than a label: state 3. Of flags the label does. */
static void append_index(const place *p, lmd_text *out)
{
    int id = 0;
    size_t width = 0;
    const bool has_coordinate = find(p, p->dim_name, 1, &id, &width);
    const bool has_flags =
        has_coordinate && nc_inq_attid(p->ncid, id, "flag_meanings", NULL) == NC_NOERR;
    if (has_coordinate && !has_flags &&
        (append_bounds(p, id, out) || append_value(p, id, out))) {
        return;
    }
    if (append_label(p, out) || (has_flags && append_word(p, id, out))) {
        return;
    }
    lmd_text_append_format(out, "%zu", p->index);
}

void lmd_netcdf_append_place(int ncid, const char *path,
                             const lmd_netcdf_variable *variable, const size_t *indices,
                             lmd_text *out)
{
    for (int d = 0; d < variable->n_dims; d++) {
        place p = {.ncid = ncid, .path = path, .index = indices[d]};
        p.dim_id = variable->dims[d];
        if (nc_inq_dimname(ncid, p.dim_id, p.dim_name) != NC_NOERR) {
            p.dim_name[0] = '\0';
        }
        lmd_text_append_format(out, "%s%.*s=", d > 0 ? ", " : "", LABEL, p.dim_name);
        append_index(&p, out);
    }
}
