/* A sum of limbs is one integer of 128 bits times 2^-64; below it is called the total.
 * Splitting a total in two's complement makes limbs 0 and 1 never negative, so only
 * limb 2 knows of signs. */
#include <lmdepth/base/exact.h>

#include <math.h> /* rint, ldexp, sqrt */

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

/* An integer of 256 bits without sign, the lowest 64 first. */
typedef struct wide {
    uint64_t part[4];
} wide;

bool lmd_exact_add(int64_t limb[LMD_EXACT_LIMBS], double x)
{
    if (!(fabs(x) < 0x1p31)) {
        return false;
    }
    // The scaling is exact; rint rounds to nearest even and leaves large values alone.
    const int128 total = (int128)rint(x * 0x1p64);
    limb[0] += (int64_t)((uint128)total & 0xffffffffU);
    limb[1] += (int64_t)((uint128)total >> 32 & 0xffffffffU);
    limb[2] += (int64_t)(total >> 64);
    return true;
}

/* The shifts round down, also below zero: what stays in a limb is not negative. Limbs of
 * a file may hold anything, so the sum wraps round. */
void lmd_exact_carry(int64_t limb[LMD_EXACT_LIMBS])
{
    for (int i = 0; i + 1 < LMD_EXACT_LIMBS; i++) {
        limb[i + 1] = (int64_t)((uint64_t)limb[i + 1] + (uint64_t)(limb[i] >> 32));
        limb[i] &= 0xffffffff;
    }
}

static int128 total_of(const int64_t limb[LMD_EXACT_LIMBS])
{
    const uint128 low = (uint128)(uint64_t)limb[0] + ((uint128)(uint64_t)limb[1] << 32);
    return (int128)(((uint128)(uint64_t)limb[2] << 64) + low);
}

/* The conversion from 128 bits to double rounds to nearest even; the scaling is exact. */
double lmd_exact_value(const int64_t limb[LMD_EXACT_LIMBS])
{
    return (double)total_of(limb) * 0x1p-64;
}

double lmd_exact_mean(const int64_t sum[LMD_EXACT_LIMBS], int64_t n)
{
    return n > 0 ? lmd_exact_value(sum) / (double)n : (double)NAN;
}

/* Schoolbook product of two integers of 128 bits. */
static wide multiply(uint128 a, uint128 b)
{
    const uint64_t digit_a[2] = {(uint64_t)a, (uint64_t)(a >> 64)};
    const uint64_t digit_b[2] = {(uint64_t)b, (uint64_t)(b >> 64)};
    wide product = {{0}};
    for (int i = 0; i < 2; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 2; j++) {
            const uint128 step =
                (uint128)digit_a[i] * digit_b[j] + product.part[i + j] + carry;
            product.part[i + j] = (uint64_t)step;
            carry = (uint64_t)(step >> 64);
        }
        product.part[i + 2] = carry;
    }
    return product;
}

/* a - b, or 0 when that is negative. */
static wide subtract(wide a, wide b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 step = (uint128)a.part[i] - b.part[i] - borrow;
        a.part[i] = (uint64_t)step;
        borrow = (uint64_t)(step >> 64) & 1;
    }
    const wide zero = {{0}};
    return borrow ? zero : a;
}

/* Rounded once: the upper 128 bits from the first that is not zero decide, and a lowest
 * bit stands for all that was below them. */
static double wide_value(wide a)
{
    int top = 3;
    while (top > 1 && a.part[top] == 0) {
        top--;
    }
    uint128 upper = (uint128)a.part[top] << 64 | a.part[top - 1];
    for (int i = 0; i < top - 1; i++) {
        upper |= a.part[i] != 0;
    }
    return ldexp((double)upper, 64 * (top - 1));
}

/* With totals S and Q, n sum(x^2) - (sum x)^2 = (n Q 2^64 - S^2) 2^-128. The squares were
 * rounded one by one, so the difference may come out slightly below zero: it is 0 then.
 */
double lmd_exact_deviation(const int64_t sum[LMD_EXACT_LIMBS],
                           const int64_t square_sum[LMD_EXACT_LIMBS], int64_t n)
{
    if (n <= 0) {
        return (double)NAN;
    }
    const int128 total = total_of(sum);
    const int128 square_total = total_of(square_sum);
    if (square_total < 0) {
        return 0;
    }
    const uint128 size = total < 0 ? -(uint128)total : (uint128)total;
    const wide product = multiply((uint128)square_total, (uint128)n);
    const wide scaled = {{0, product.part[0], product.part[1], product.part[2]}};
    const wide difference = subtract(scaled, multiply(size, size));
    return sqrt(wide_value(difference)) * 0x1p-64 / (double)n;
}
