"""The console's words, beside the shop's: Korean in the pages, English here."""

from collections.abc import Mapping

CODES: Mapping[str, tuple[str, str]] = {
    "amount_exceeds_cancellable": (
        "그만큼 남아 있지 않아요.",
        "That much is not there to be sent back.",
    ),
    "incident_already_settled": ("이미 끝난 이상 내역이에요.", "This incident is settled already."),
    "own_trade": (
        "본인의 거래는 콘솔에서 처리할 수 없어요. 다른 운영자가 하거나, 거래 화면에서 하세요.",
        "Your own trade: let another operator do it, or do it as a member.",
    ),
}

# What a page of the console says of the form that led to it.
TOLD: Mapping[str, str] = {
    "console_settled": "끝난 것으로 적었어요.",
    "console_looked": "결제사 기록을 확인했어요.",
    "console_refund_asked": "환불을 접수했어요.",
    "console_cancelled": "거래를 취소했어요.",
    "console_given_up": "환불을 그만두기로 했어요.",
}

EN: Mapping[str, str] = {
    "끝난 것으로 적었어요.": "The incident is settled.",
    "환불을 접수했어요.": "The refund is taken.",
    "결제사 기록을 확인했어요.": "The gateway was asked.",
    "거래를 취소했어요.": "The trade is cancelled.",
    "환불을 그만두기로 했어요.": "The refund is given up.",
    "환불 그만두기": "Give the refund up",
    "환불 계좌": "Refund account",
    "환불 계좌 보기": "Show the refund account",
    "결제사 콘솔에서 이 계좌로 보내 주세요. 계좌를 본 사실은 운영 기록에 남아요.": (
        "Send it to this account in the gateway's console. That you saw it is written down."
    ),
    "은행이 환불금을 보내고 있어요.": "The bank is sending the refund on.",
    "결제사에 더는 환불을 요청하지 않고, 거래는 이어져요. 그래도 환불된 돈은 저절로 찾아요.": (
        "The gateway is asked no more. The trade goes on, and money that goes back all the same is "
        "found."
    ),
    "이 양식으로 이미 {amount} 환불을 요청했어요.": (
        "This form has asked for a refund of {amount} before."
    ),
    # The frame
    "운영": "Console",
    "한눈에": "Overview",
    "이상 내역": "Incidents",
    "환불": "Refunds",
    "장부": "Ledger",
    "작업": "Jobs",
    "운영 기록": "Audit log",
    "상태": "Status",
    "금액": "Amount",
    "까닭": "Reason",
    # Overview
    "날마다의 판매와 수수료": "Sales and fees by day",
    "기간": "Span",
    "{n}일": "{n} days",
    "구매확정된 판매": "Confirmed sales",
    "한국 시각으로 하루씩, 새 날부터": "Days in Korean time, the newest first",
    "날": "Day",
    "가장 오래된 것": "Oldest",
    # Payments
    "찾기": "Find",
    "결제·거래 번호, 결제사 번호, 별명, 이메일": (
        "Id of a payment or trade, gateway's reference, nickname, e-mail"
    ),
    "아직 아무도 결제하지 않은 거래예요.": "Nobody has begun to pay for this trade.",
    "찾는 결제가 없어요": "No such payment",
    "결제 준비": "Ready",
    "입금 대기": "Awaiting deposit",
    "결제됨": "Paid",
    "부분 취소": "Partly refunded",
    "전액 취소": "Refunded",
    "결제 실패": "Failed",
    "만료": "Expired",
    # One payment
    "청구한 금액": "Asked for",
    "결제된 금액": "Captured",
    "결제사의 말": "The gateway says",
    "다음 확인": "Next look",
    "결제 번호": "Payment id",
    "결제사 번호": "Gateway's reference",
    "거래 번호": "Trade id",
    "결제 기한": "Pay by",
    "본인의 거래예요. 다른 운영자가 처리하거나, 회원으로서 거래 화면에서 하세요.": (
        "This is your own trade: let another operator see to it, or act as a member."
    ),
    "환불 계좌 적기": "Name the refund account",
    "돈 돌려보내기": "Send money back",
    "환불 계좌를 기다리고 있어요.": "Waiting for a refund account.",
    "돈이 돌아가고 있어요.": "The money is on its way back.",
    "결제사에 지금 확인하기": "Ask the gateway now",
    "이 거래의 결제들": "Payments of this trade",
    "지나온 일": "History",
    # Its history
    "결제를 시작했어요": "Payment begun",
    "결제사에 금액을 등록했어요": "Amount registered with the gateway",
    "결제사 기록을 확인했어요": "Looked at the gateway's record",
    "이 결제를 더는 기다리지 않아요": "No longer waited for",
    "결제사에 환불을 요청했어요": "Asked the gateway to send money back",
    "운영자가 환불을 그만두기로 했어요": "An operator gave the refund up",
    "결제사가 환불을 거절했어요": "The gateway refused to send money back",
    "환불 계좌가 등록됐어요": "A refund account was named",
    "구매하기를 눌렀어요": "Bought",
    "구매자가 결제한 때": "The buyer paid",
    "판매자가 판매승인했어요": "The seller approved",
    "구매자가 구매확정했어요": "The buyer confirmed",
    "거래 취소를 접수했어요": "Cancellation of the trade asked for",
    "거래가 취소됐어요": "The trade was cancelled",
    "환불을 접수했어요": "Refund asked for",
    "환불이 끝났어요": "Refund done",
    "환불하지 못했어요": "Refund failed",
    "웹훅이 왔어요": "A webhook came",
    "이상 내역이 생겼어요": "An incident was reported",
    "운영자가 처리했어요": "An operator acted",
    "계기": "By",
    "결제사 기록": "Record",
    "기록 없음": "none",
    "미결제": "Unpaid",
    "입금된 금액": "Deposited",
    "전": "Before",
    "후": "After",
    "누가": "Who",
    "나간 계정": "From",
    "들어온 계정": "To",
    "일어난 때": "Happened at",
    "처리한 때": "Handled at",
    "아직": "not yet",
    "종류": "Kind",
    "뜻": "Meaning",
    "일": "What",
    "웹훅": "webhook",
    "정기 확인": "sweep",
    "대사": "comparison",
    "운영자": "Operator",
    "마켓": "the market",
    # Sending money back
    "돌려보낼 수 있는 금액": "Can be sent back",
    "구매확정된 거래예요. 판매자에게 정산한 돈이라, 돌려보낸 만큼 받을 돈으로 적혀요.": (
        "The sale is confirmed and the seller credited: what goes back is booked as a claim."
    ),
    "비워 두면 남은 돈을 모두 돌려보내고 거래를 끝내요.": (
        "Left empty, all that is left goes back and the trade ends."
    ),
    "거래 당사자와 운영 기록에 보여요.": "The parties and the audit log show it.",
    "구매자가 알려 준 계좌": "The account the buyer told",
    "모르면 비워 두세요. 구매자가 적을 때까지 기다려요.": (
        "Leave it empty if you don't know: it waits until the buyer says."
    ),
    "환불에만 쓰고, 끝나면 지워요. 어디에도 보이지 않아요.": (
        "Used for the refund alone, then erased; shown nowhere."
    ),
    "돌려보내기": "Send it back",
    "이 계좌로 돌려보내기": "Send it to this account",
    # Incidents
    "처리할 것": "Open",
    "끝난 것": "Settled",
    "처리할 것이 없어요": "Nothing to see to",
    "끝난 것이 아직 없어요": "Nothing settled yet",
    "결제 보기": "See the payment",
    "어떻게 처리했나요?": "How was it settled?",
    "이름과 함께 운영 기록에 남고, 다시 열 수 없어요.": (
        "It stays in the audit log with your name, and can't be opened again."
    ),
    "끝내기": "Settle",
    "청구한 것과 다른 금액이 결제됐어요. 전액이 저절로 돌아가요.": (
        "Another amount than asked for came. All of it goes back by itself."
    ),
    "청구한 것과 다른 통화로 결제됐어요. 전액이 저절로 돌아가요.": (
        "Another currency than asked for came. All of it goes back by itself."
    ),
    "다른 주문의 기록이 돌아왔어요. 전액이 저절로 돌아가요.": (
        "The record is of another order. All of it goes back by itself."
    ),
    "다른 상점으로 결제됐어요. 전액이 저절로 돌아가요.": (
        "It was paid to another store. All of it goes back by itself."
    ),
    "다른 종류의 채널(테스트·실연동)로 결제됐어요. 전액이 저절로 돌아가요.": (
        "It was paid through the other kind of channel (test or live). All of it goes back by "
        "itself."
    ),
    "결제사가 환불을 거절했어요. 까닭을 풀고 결제사 콘솔에서 취소하세요.": (
        "The gateway refuses to send money back. Mend what it names, and cancel in its console."
    ),
    "일주일이 지나도 환불이 끝나지 않았어요. 확인하고, 필요하면 그만두세요.": (
        "A refund has not ended within a week. Look into it; give it up if you must."
    ),
    "결제된 거래가 한 달째 멈춰 있어요. 거래 당사자에게 물어보세요.": (
        "A paid trade has stood still for a month. Ask its parties."
    ),
    "은행이 환불금을 보내지 못했어요. 구매자가 적은 계좌로 보내 주세요.": (
        "The bank could not send a refund on. Send it to the account the buyer names."
    ),
    "입금된 돈을 돌려줄 계좌를 몰라요. 구매자에게 물어보세요.": (
        "A deposit must go back, and nobody knows where to. Ask the buyer."
    ),
    "판매자에게 정산한 뒤에 환불됐어요. 누가 부담할지 정하세요.": (
        "Money went back after the seller was credited. Agree on who bears it."
    ),
    "같은 주문에 한 번 더 결제된 돈을 찾았어요": "Found more money under the same order",
    "같은 주문이 두 번 결제됐어요. 두 번째는 환불돼요. V2면 결제사 콘솔에서 하세요.": (
        "One order was paid twice. The second is refunded automatically; on V2, do it in the "
        "gateway's console."
    ),
    "결제사 기록을 읽을 수 없어요. 결제사 콘솔에서 확인하세요.": (
        "The gateway's record can't be read. Check it in the gateway's console."
    ),
    "결제사 기록이 처음 보는 상태예요. 결제사 콘솔에서 확인하세요.": (
        "The gateway's record has an unknown status. Check it in the gateway's console."
    ),
    "결제사 기록에 결제된 것보다 많은 돈이 환불됐어요. 결제사에 문의하세요.": (
        "The gateway's record shows more refunded than was paid. Ask the gateway."
    ),
    "가상계좌에 두 번 입금됐어요. 두 번째 입금을 돌려보내게 하세요.": (
        "Two deposits came to one virtual account. Have the second sent back."
    ),
    "장부에는 있는데 결제사에는 없는 돈이에요. 정산을 멈추고 문의하세요.": (
        "We booked money that the gateway has no record of. Stop the payout, and ask."
    ),
    "결제사에는 있는데 우리 결제가 아닌 돈이에요. 결제사 콘솔에서 찾아보세요.": (
        "The gateway holds money that no payment of ours stands for. Look it up in its console."
    ),
    "결제사와 장부의 금액이 달라요. 두 기록을 견줘 보세요.": (
        "The amounts here and at the gateway differ. Compare both histories."
    ),
    # Refunds
    "진행 중": "Under way",
    "계좌 기다림": "Waiting for an account",
    "실패": "Failed",
    "끝남": "Done",
    "{n}번 시도함": "tries: {n}",
    "다음 시도": "next try",
    "끝난 때": "ended",
    "여기에는 아무것도 없어요": "Nothing here",
    # Ledger
    "+는 계정이 받은 돈, −는 준 돈이에요. 결제사 보관금은 맡겨 둔 만큼 아래로 내려가요.": (
        "+ is what an account received, − what it gave. The gateway's is below 0 by what it holds "
        "for us."
    ),
    "잔액": "Balance",
    "계정": "Account",
    "아직 움직인 돈이 없어요": "No money has moved yet",
    "첫날": "From",
    "끝날": "To",
    "보기": "Show",
    "거래 내역": "Statement",
    "무엇": "What",
    "상대 계정": "Counter account",
    "처음 잔액": "Opening balance",
    "마지막 잔액": "Closing balance",
    "적은 때": "recorded",
    "결제금 입금": "Captured",
    "판매자 정산": "Seller credited",
    "결제사 보관금": "Held at the gateway",
    "구매확정 대기금": "Escrow",
    "수수료 수입": "Fees",
    "받을 돈": "Claims",
    # Jobs
    "시간표": "Timetable",
    "마지막 실행": "Last run",
    "다음 실행": "Next run",
    "아직 일꾼이 한 번도 돌지 않았어요.": "No worker has run yet.",
    "대기열": "Queue",
    "수": "Count",
    "비어 있어요.": "It is empty.",
    "실패한 작업": "Jobs that failed",
    "없어요.": "None.",
    "웹훅 처리": "Webhooks",
    "밀린 웹훅 처리": "Webhooks, again",
    "결제 기한 끝내기": "Holds that run out",
    "환불 보내기": "Refunds",
    "끝나지 않은 결제 확인": "Unfinished payments",
    "결제사와 대사": "Comparison with the gateway",
    "오래된 것 지우기": "Forgetting what is old",
    "닉네임 비교 준비": "Preparing nicknames for comparison",
    "결제된 돈 매일 확인하기": "Sync money once a day",
    "오래 멈춘 환불과 거래 찾기": "Find what stands still",
    "구매확정 부탁하기": "Asking to confirm",
    "처리할 웹훅": "Webhooks to handle",
    "지금 보낼 환불": "Refunds due",
    "다시 시도할 환불": "Refunds to be tried again",
    "계좌를 기다리는 환불": "Refunds without an account",
    "실패한 환불": "Refunds that failed",
    "끝낼 결제 기한": "Holds due",
    "확인할 결제": "Payments to look at",
    "처리할 이상 내역": "Open incidents",
    "대기": "queued",
    "실행 중": "running",
    "성공": "succeeded",
    "오류": "error",
    "취소": "cancelled",
    "삭제": "deleted",
    # Audit log
    "운영자가 한 모든 일이에요. 지우거나 고칠 수 없어요.": (
        "Everything operators did. It can be neither changed nor erased."
    ),
    "아직 아무 일도 없어요": "Nothing yet",
    "이상 내역 종결": "settled an incident",
    "결제사 기록 확인": "asked the gateway",
    "환불 계좌 등록": "named a refund account",
    "운영자 임명": "appointed an operator",
    "운영자 해임": "dismissed an operator",
    "일부 환불": "sent a part back",
}
