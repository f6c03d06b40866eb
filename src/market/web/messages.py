"""The texts that pages choose by a code: what a form led to, and why something can't be done."""

from collections.abc import Mapping

from .translation import gettext_noop as _

# What a page says of the form that led to it, by the word in its address.
FLASH: Mapping[str, str] = {
    "listed": _("상품을 등록했어요."),
    "edited": _("변경 사항을 저장했어요."),
    "already_bought": _("이미 거래 중인 상품이에요."),
    "sold_out": _("아쉽게도 모두 팔렸어요."),
    "reserved": _("지금은 모두 예약됐어요. 예약이 취소되면 다시 살 수 있어요."),
    "came_too_late": _("거래가 끝난 뒤에 결제됐어요. 결제하신 금액은 전액 환불돼요."),
    "not_taken": _("결제 내용이 거래와 달라 승인되지 않았어요. 결제하신 금액은 전액 환불돼요."),
    "price_changed": _("그 사이에 가격이 바뀌었어요. 현재 가격을 확인하고 다시 눌러 주세요."),
    "amount_changed": _("그 사이에 거래 금액이 바뀌었어요. 금액을 확인하고 다시 눌러 주세요."),
    "paid": _("결제가 완료됐어요. 감사합니다!"),
    "not_paid": _("아직 결제되지 않았어요. 다시 결제하거나 다른 결제수단을 선택해 주세요."),
    "pay_failed": _("결제되지 않았어요. 다른 카드나 다른 결제수단을 이용해 주세요."),
    "looking": _("결제 결과를 확인하고 있어요. 확인되면 이 페이지가 자동으로 바뀌어요."),
    "approved": _("판매승인했어요. 이제 상품을 보내 주세요."),
    "confirmed": _("구매확정했어요. 감사합니다!"),
    "cancelled": _("취소가 접수됐어요."),
    "refund_account": _("환불 계좌를 등록했어요. 바로 환불해 드릴게요."),
    "password_chosen": _("비밀번호를 만들었어요. 이제 이메일로도 로그인할 수 있어요."),
}
CONSOLE_FLASH: Mapping[str, str] = {
    "console_settled": _("이상 내역을 처리 완료로 기록했어요."),
    "console_looked": _("결제사 기록을 확인했어요."),
    "console_refund_asked": _("환불이 접수됐어요."),
    "console_cancelled": _("거래를 취소했어요."),
    "console_given_up": _("환불을 중단했어요."),
}
# Those that tell of something that did not come off; the others are good news.
FLASH_FAILURES = frozenset(
    {
        "sold_out",
        "reserved",
        "came_too_late",
        "not_taken",
        "price_changed",
        "amount_changed",
        "not_paid",
        "pay_failed",
    }
)

# Refusals by their code: what a service says of itself is for programs.
PROBLEMS: Mapping[str, str] = {
    "already_bought": _("이미 거래 중인 상품이에요. 한 사람당 하나씩 살 수 있어요."),
    "amount_changed": _("그 사이에 남은 금액이 바뀌었어요. 금액을 확인하고 다시 눌러 주세요."),
    "bank_refused": _("결제사에서 이용할 수 없는 은행이에요. 다른 은행을 선택해 주세요."),
    "buyer_needed": _("결제에 필요한 구매자 정보가 없어요."),
    "refund_phone_needed": _("환불받으려면 예금주의 휴대폰 번호가 필요해요."),
    "bank_needed": _("은행을 선택해 주세요."),
    "cancellation_in_progress": _("이미 결제취소가 진행 중이에요."),
    "email_taken": _("이미 가입한 이메일이에요."),
    "forbidden": _("권한이 없어요."),
    "forged_form": _("페이지가 만료됐어요. 페이지를 다시 열고 시도해 주세요."),
    "gateway_refused": _("결제가 거절됐어요. 다른 결제수단으로 결제해 주세요."),
    "gateway_unavailable": _("결제사에 연결할 수 없어요. 잠시 후 다시 시도해 주세요."),
    "hold_expired": _("결제 기한이 지났어요."),
    "internal_error": _("일시적인 오류가 발생했어요. 잠시 후 다시 시도해 주세요."),
    "invalid_request": _("잘못된 요청이에요."),
    "invalid_transition": _("그 사이에 거래 상태가 바뀌어 지금은 할 수 없어요."),
    "nickname_reserved": _("운영자로 오인될 수 있는 닉네임이에요."),
    "nickname_taken": _("이미 사용 중이거나 비슷한 닉네임이에요."),
    "not_found": _("없는 페이지이거나 볼 권한이 없는 페이지예요."),
    "not_your_part": _("상대방이 진행할 단계예요."),
    "outcome_unknown": _("결제사 응답이 늦어지고 있어요. 확인되는 대로 알려 드릴게요."),
    "own_product": _("내가 판매하는 상품은 살 수 없어요."),
    "photo_refused": _(
        "올릴 수 없는 파일이에요. 8MB, 1억 1천만 화소까지 가능해요(PNG 2,400만, WebP 1,200만)."
    ),
    "photos_expired": _("임시 저장된 사진의 보관 기간이 지났어요. 사진을 다시 선택해 주세요."),
    "body_too_large": _("보낸 내용이 너무 커요."),
    "quantity_below_taken": _("거래 중인 수량보다 적게 바꿀 수 없어요."),
    "refund_account_needed": _("환불받을 본인 계좌를 입력해 주세요."),
    "refund_refused": _("결제사가 환불을 거절했어요. 거래는 그대로 유지돼요."),
    "refund_already_asked": _("이미 요청한 환불이에요. 거래 화면에서 확인해 주세요."),
    "refund_too_small": _(
        "환불 금액이 너무 적어요. 100원 이상이면서 결제 금액의 1% 이상이어야 해요."
    ),
    "too_many_refunds": _("부분 환불을 더 할 수 없어요. 남은 금액 전체는 취소할 수 있어요."),
    "signed_out": _("로그아웃된 상태예요. 다시 로그인하면 이어서 할 수 있어요."),
    "sold_out": _("지금은 살 수 있는 수량이 없어요."),
    "rate_limited": _("너무 자주 시도했어요. 잠시 후 다시 시도해 주세요."),
    "social_account_conflict": _("이 이메일은 이미 다른 계정과 연결돼 있어요."),
    "social_code_invalid": _(
        "로그인 시간이 지났거나 다른 브라우저에서 시작됐어요. 다시 시도해 주세요."
    ),
    "social_declined": _("로그인이 취소됐어요."),
    "social_refused": _("로그인하지 못했어요. 다시 시도해 주세요."),
    "social_state_invalid": _(
        "로그인 시간이 지났거나 다른 브라우저에서 시작됐어요. 다시 시도해 주세요."
    ),
    "social_unavailable": _("지금은 연결할 수 없어요. 잠시 후 다시 시도해 주세요."),
    "stale": _(
        "그 사이에 다른 곳에서 수정됐어요. 현재 내용은 아래에 있어요. 바꾸려면 다시 저장해 주세요."
    ),
    "step_up_needed": _("로그인한 지 오래됐어요. 다시 로그인하고 10분 안에 만들어 주세요."),
    "too_many_photos": _("사진은 다섯 장까지 올릴 수 있어요."),
    "too_many_requests": _("요청이 너무 많아요. 잠시 후 다시 시도해 주세요."),
    "unavailable": _("지금은 요청이 많아요. 잠시 후 다시 시도해 주세요."),
    "version_conflict": _("지금은 요청이 많아요. 잠시 후 다시 시도해 주세요."),
    "wrong_credentials": _("이메일이나 비밀번호가 맞지 않아요."),
    "amount_exceeds_cancellable": _("환불 가능 금액을 초과했어요."),
    "incident_already_settled": _("이미 처리 완료된 이상 내역이에요."),
    "own_trade": _(
        "본인 거래는 콘솔에서 처리할 수 없어요. 다른 운영자에게 맡기거나 거래 화면에서 처리하세요."
    ),
}
ANY_PROBLEM = _("지금은 할 수 없어요.")


def problem(code: str) -> str:
    """A refusal in words, by its code; a text stays as it is."""
    return PROBLEMS.get(code, ANY_PROBLEM) if code.isascii() else code
