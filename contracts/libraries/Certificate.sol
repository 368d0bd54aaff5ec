// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, Product} from "../interfaces/IWalras.sol";
import {Board, Line} from "./Board.sol";
import {LOT_BITS} from "./Constants.sol";
import {ProductWords} from "./ProductWords.sol";
import {Entry, Reading} from "./Submission.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev The proof that posted prices are the clearing prices of the book. docs/SPEC.md §6, docs/MATHEMATICS.md.
library Certificate {
    using ProductWords for Product;

    /// @dev Adds a trading submission to the board.
    function add(Reading memory r) internal pure {
        (Entry[] memory entries, uint256 end) = (r.entries, r.count);
        assembly ("memory-safe") {
            end := add(entries, shl(5, end))
        }
        if (!r.moves) return _rest(entries, end);
        assembly ("memory-safe") {
            for {} 1 {} {
                entries := add(entries, 32)
                let e := mload(entries)
                let line := mload(e)
                let slot := add(line, 96) // demand
                mstore(slot, add(mload(slot), mload(add(e, 64))))
                slot := add(line, 128) // tolerance
                mstore(slot, add(mload(slot), mload(add(e, 128))))
                slot := add(line, 160) // gross
                mstore(slot, add(mload(slot), mload(add(e, 160))))
                slot := add(line, 192) // volume
                mstore(slot, add(mload(slot), mload(add(e, 96))))
                if eq(entries, end) { break }
            }
        }
    }

    /// @dev The same for one that comes to no fill.
    function _rest(Entry[] memory entries, uint256 end) private pure {
        assembly ("memory-safe") {
            for {} 1 {} {
                entries := add(entries, 32)
                let e := mload(entries)
                let line := mload(e)
                let slot := add(line, 128) // tolerance
                mstore(slot, add(mload(slot), mload(add(e, 128))))
                slot := add(line, 160) // gross
                mstore(slot, add(mload(slot), mload(add(e, 160))))
                if eq(entries, end) { break }
            }
        }
    }

    /// @dev [C-1] p is the clearing price iff Σ_j w_jk D_j(π_j) = ε_k (p_k − ref_k) for every k. On the left each sloped D_j is its floor, which takes
    /// less than |w_jk| ulps off a leg; the exact root rounded to X84 moves it by at most half an ulp more (slopes are at most 1/W² per X40 unit, and
    /// π moves by at most W/2): together less than |w_jk| + 1 for each sloped auth, and nothing else. On the right the maker's floor takes less than an ulp
    /// and rounding p less than another. Hence the rounded root always passes, and nothing passes that is further than that from clearing:
    ///     |z_k − maker_k| ≤ c_k + 2
    function excess(Line memory line) internal pure returns (uint256 size) {
        unchecked {
            int256 e = line.demand - makerDown(line);
            size = uint256(e < 0 ? -e : e);
            if (size > line.tolerance + 2) revert IWalras.NotCleared(uint16(line.id), e, line.tolerance + 2);
        }
    }

    /// @return sold {lot X44} by the vanishing maker: 2^-10 lot per 100 % of scale, toward minus infinity.
    /// (p − ref) X84 · 2^34 / (scale X24 · 2^60); |p − ref| < 2^139
    function makerDown(Line memory line) internal pure returns (int256 sold) {
        unchecked {
            int256 distance = line.price - int256(uint256(line.product.referencePrice) << LOT_BITS);
            int256 unit = int256(uint256(line.product.scale) << 26);
            sold = distance / unit;
            if (distance < 0 && sold * unit != distance) --sold;
        }
    }

    /// @dev [C-3] Welfare lost to rounding is at most the sum of what each participant would gain by moving to its optimum at p (weak duality). An auth on a
    /// slope is less than an ulp 2^-44 short of it: half that squared times its slope. A cost that is |s − S| from its own best is short of it by no more than
    /// that times the span of its marginal value, and by nothing where λ at an end excuses it. The maker, its floor included, is less than |e_k| + 1 off:
    /// (|e_k| + 1)² / (2 ε_k), with 1/(2 ε_k) = scale·2^9.
    ///     loss X40 = Σ slope / 2^89 + Σ_k (|e_k| + 1)² scale_k / 2^63 + costLoss / 2^44        each rounded up
    function lossUp(uint256 slopes, uint256 squares, uint256 costLoss) internal pure returns (uint256) {
        return Math.ceilDiv(slopes, 1 << 89) + Math.ceilDiv(squares, 1 << 63) + Math.ceilDiv(costLoss, 1 << LOT_BITS);
    }

    /// @dev [C-4] Let p, p' both pass, d = p − p'. Demand falls in p and λ, so Σ ε_k d_k² ≤ Σ a_k |d_k| + Σ b_d |λ_d − λ'_d| where a_k and b_d bound what
    /// both may miss by: the tolerances and the floors at p and p', together at most 4 (C_k + 2) and 4 C_d ulps; |λ_d − λ'_d| ≤ span_d.
    /// With x² ≤ αx + β ⇒ x ≤ α + √β, Cauchy–Schwarz twice: √(Σ ε d²) ≤ √(Σ a²/ε) + √(Σ b span) and Σ q|d| ≤ √(Σ q²/ε) √(Σ ε d²).
    ///     freedom X40 = (√(Σ a_k² scale_k) + 2^9 √costSpan) · √(Σ q_k² scale_k) / 2^18        each rounded up
    function freedomUp(uint256 misses, uint256 volumes, uint256 costSpan) internal pure returns (uint256) {
        uint256 miss = Math.sqrt(misses, Math.Rounding.Ceil) + (Math.sqrt(costSpan, Math.Rounding.Ceil) << 9);
        return Math.ceilDiv(miss * Math.sqrt(volumes, Math.Rounding.Ceil), 1 << 18);
    }

    /// @dev Next reference: moved toward the price by volume/(volume + depth), at most 0.5 % of scale, within scale/8 … 8·scale.
    /// |p − ref| < 2^139, volume < 2^69 lots
    function nextReference(Line memory line) internal pure returns (uint80) {
        unchecked {
            Product memory p = line.product;
            int256 volume = int256(line.volume >> LOT_BITS);
            if (volume == 0) return p.referencePrice;
            int256 distance = line.price - int256(uint256(p.referencePrice) << LOT_BITS);
            int256 move = (distance * volume) / ((volume + int256(uint256(1) << p.depthLog2)) << LOT_BITS); // toward zero
            int256 most = int256((uint256(p.scale) << 16) / 200);
            if (move > most) move = most;
            if (move < -most) move = -most;
            int256 next = int256(uint256(p.referencePrice)) + move;
            int256 low = int256(uint256(p.scale) << 13);
            int256 high = int256(uint256(p.scale) << 19);
            return uint80(uint256(next < low ? low : next > high ? high : next));
        }
    }

    /// @dev Checks every line and moves house and reference. Sums for [C-3] and [C-4] come back.
    function close(Board.Data memory board, mapping(uint256 => Product) storage products)
        internal
        returns (uint256 squares, uint256 misses, uint256 volumes, int256 short)
    {
        unchecked {
            for (uint256 i; i < board.lines.length; ++i) {
                Line memory line = board.lines[i];
                if (!line.used) revert IWalras.PriceUnused(uint16(line.id));
                uint256 off = excess(line) + 1;
                Product memory p = line.product;
                // [C-2] the house takes what is left, so that lots sum to zero exactly
                int256 house = int256(uint256(p.house)) - line.demand;
                if (house < 0 || house > int256(uint256(type(uint96).max))) {
                    revert IWalras.HouseShort(uint16(line.id), house);
                }
                uint256 least = uint256(1) << (p.houseLog2 + LOT_BITS);
                if (p.house >= least && uint256(house) < least) ++short;
                else if (p.house < least && uint256(house) >= least) --short;
                // off and gross < 2^41, scale ≤ 2^54, volume < 2^52 lots
                squares += off * off * p.scale;
                uint256 miss = 4 * (line.gross + 2);
                misses += miss * miss * p.scale;
                uint256 volume = (line.volume + (1 << LOT_BITS) - 1) >> LOT_BITS;
                volumes += volume * volume * p.scale;
                p.referencePrice = nextReference(line);
                p.house = uint96(uint256(house));
                products[line.id].save(p);
            }
        }
    }
}
